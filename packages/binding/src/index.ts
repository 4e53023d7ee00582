export { Consumer, type ConsumerMeters, type ConsumerPorts, type Outcome } from "./delivery/consumer.ts";
export { deliveryDefaults, type DeliveryLimits } from "./delivery/limits.ts";
export { anyContentType, type BoundEvent, eventLogReader, type EventPage, type EventSourceReader } from "./event.ts";
export {
  methodFor,
  planSubscriptions,
  type SubscribedMethod,
  subscriberName,
  type Subscription,
  subscriptionProblem,
} from "./subscriptions.ts";
