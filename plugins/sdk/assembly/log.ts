import { Answer, sendRequest } from "./host-call";
import { MsgpackWriter } from "./msgpack-writer";

// @ts-ignore: decorator
@external("extism:host/user", "log")
declare function hostLog(request: u64): u64;

/** Capability `log`. `level` is debug, info, warn or error. */
export function logLine(level: string, message: string): Answer {
  const request = new MsgpackWriter();
  request.map(2);
  request.key("level");
  request.text(level);
  request.key("message");
  request.text(message);
  const answer = new Answer();
  const sent = sendRequest(request);
  answer.receive(sent, hostLog(sent));
  return answer;
}
