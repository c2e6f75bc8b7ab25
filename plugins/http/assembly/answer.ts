import { encodeBase64 } from "../../sdk/assembly/base64";
import { HttpAnswer } from "../../sdk/assembly/http";
import { MAX_JSON_DEPTH } from "../../sdk/assembly/json-reader";
import { JsonWriter } from "../../sdk/assembly/json-writer";
import { isUtf8 } from "../../sdk/assembly/utf8";
import { Value } from "../../sdk/assembly/value";

/**
 * Writes {headers, status} and the body as one of json, text and base64. With the form "auto" nothing fails: the request has
 * been made, and a body that is not what its type says is still the answer. Returns why a body has not the form asked for.
 */
export function writeAnswer(out: JsonWriter, answer: HttpAnswer, form: string): string | null {
  const auto = form == "auto";
  const empty = answer.length == 0;
  let json: Value | null = null;
  if (form == "json" || (auto && answer.saysJson)) json = answer.json(MAX_JSON_DEPTH - 1);
  if (json === null && form == "json") return "the body is not JSON";
  const utf8 = json === null && form != "base64" && isUtf8(answer.start, answer.length);
  if (form == "text" && !utf8) return 'the body is not UTF-8; ask for it with as "base64"';

  out.beginObject();
  if (json === null && !utf8 && !(auto && empty)) {
    const text = encodeBase64(answer.start, answer.length);
    out.key("base64");
    out.plainFrom(text.dataStart, text.length);
  }
  out.key("headers");
  out.value(answer.headers);
  if (json !== null) {
    out.key("json");
    out.value(json);
  }
  out.key("status");
  out.integer(answer.status);
  if (utf8 && !(auto && empty)) {
    out.key("text");
    out.textFrom(answer.start, answer.length);
  }
  out.endObject();
  return null;
}
