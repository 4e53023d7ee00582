export { attributeMaxChars, attributesMax, attributesOf, type CloudEvent, eachOf, eventOf } from "./event.ts";
export { batchMax, isJson, readHttpEvents } from "./http.ts";
export { anyContentType, contentOfPayload, type EventContent, payloadOfEvent } from "./payload.ts";
