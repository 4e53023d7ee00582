export { Consumer, type ConsumerMeters, type ConsumerPorts, type Outcome } from "./delivery/consumer.ts";
export { deliveryDefaults, type DeliveryLimits } from "./delivery/limits.ts";
export { type BoundEvent, eventLogReader, type EventPage, type EventSourceReader } from "./event.ts";
export {
  methodFor,
  planSubscriptions,
  type SubscribedMethod,
  subscriberName,
  type Subscription,
  subscriptionProblem,
} from "./subscriptions.ts";
export {
  appendMax,
  idsKeptMs,
  type Retention,
  retentionUsed,
  type Standing,
  subscribedTopic,
  type TopicListing,
  type TopicLog,
  topicMaxChars,
  type TopicMessage,
  type TopicReader,
  topicProblem,
} from "./topics/log.ts";
