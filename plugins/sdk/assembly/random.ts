import { Answer, sendRequest } from "./host-call";
import { MsgpackWriter } from "./msgpack-writer";
import { KIND_BYTES } from "./value";

// @ts-ignore: decorator
@external("extism:host/user", "random_bytes")
declare function hostRandomBytes(request: u64): u64;

/** Random bytes from the host, recorded and replayed. */
export class RandomAnswer extends Answer {
  bytes: Uint8Array = new Uint8Array(0);
}

/** Capability `random_bytes`. */
export function randomBytes(length: i32): RandomAnswer {
  const request = new MsgpackWriter();
  request.map(1);
  request.key("length");
  request.integer(length);
  const answer = new RandomAnswer();
  const sent = sendRequest(request);
  answer.receive(sent, hostRandomBytes(sent));
  answer.bytes = answer.member("bytes", KIND_BYTES).bytes();
  return answer;
}
