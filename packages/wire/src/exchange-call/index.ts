export { type AnswerForm, type Chunk, endExchangeCall, type ExchangeCallSpec, type NextMessage, runExchangeCall } from "./exchange-call.ts";
