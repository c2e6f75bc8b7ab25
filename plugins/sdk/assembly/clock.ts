import { Answer, sendRequest } from "./host-call";
import { MsgpackWriter } from "./msgpack-writer";

// @ts-ignore: decorator
@external("extism:host/user", "clock_now")
declare function hostClockNow(request: u64): u64;

/** The host's clock, recorded and replayed. */
export class ClockAnswer extends Answer {
  /** Milliseconds since 1970-01-01 UTC. */
  ms: i64 = 0;
}

/** Capability `clock_now`. */
export function clockNow(): ClockAnswer {
  const request = new MsgpackWriter();
  request.map(0);
  const answer = new ClockAnswer();
  const sent = sendRequest(request);
  answer.receive(sent, hostClockNow(sent));
  answer.ms = answer.count("ms");
  return answer;
}
