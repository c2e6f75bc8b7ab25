import { HttpAnswer, HttpRequest } from "../../sdk/assembly/http";
import { fail } from "../../sdk/assembly/io";
import { JsonWriter } from "../../sdk/assembly/json-writer";
import { Parameters } from "../../sdk/assembly/parameters";
import { secret } from "../../sdk/assembly/secret";
import { KIND_BOOLEAN, KIND_OBJECT, textValue, Value } from "../../sdk/assembly/value";
import { apiProblem, isName } from "./names";

const MAX_REASON: usize = 1024;

/** {api, endpoint, order, reason?, secret?} -> {endpoint, isolated: true, order, status} */
export function isolate(): i32 {
  return carryOut("isolate", true);
}

/** {api, endpoint, order, reason?, secret?} -> {endpoint, isolated: false, order, status} */
export function release(): i32 {
  return carryOut("release", false);
}

function carryOut(operation: string, isolated: bool): i32 {
  const parameters = new Parameters();
  const api = parameters.text("api");
  const endpoint = parameters.text("endpoint");
  const order = parameters.text("order");
  const reason = parameters.optionalText("reason");
  const token = parameters.optionalText("secret");
  const wrong = apiProblem(api);
  if (wrong !== null) parameters.refuse(wrong);
  refuseUnlessName(parameters, "endpoint", endpoint);
  refuseUnlessName(parameters, "order", order);
  if (token !== null) refuseUnlessName(parameters, "secret", token);
  if (reason !== null && reason.length > MAX_REASON) parameters.refuse('parameter "reason" must be at most 1024 bytes');
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);

  const url = api.text() + "/endpoints/" + endpoint.text() + "/" + operation;
  const request = new HttpRequest("POST", textValue(url));
  request.header("accept", "application/json");
  if (token !== null) request.header("authorization", "Bearer " + secret(token.text()));
  request.json(orderDocument(endpoint, order, reason));
  const answer = request.send();
  if (answer.failed) return fail("http_request POST " + url + ": " + answer.problem);
  if (answer.status != 200) return fail("POST " + url + ": expected status 200, got " + answer.status.toString());
  if (!confirms(answer, endpoint, isolated)) {
    const state = isolated ? "true" : "false";
    return fail("POST " + url + ': the answer does not say {"endpoint":"' + endpoint.text() + '","isolated":' + state + "}");
  }
  return report(endpoint, isolated, order, answer.status);
}

/** {endpoint, order, reason?}, what the API gets. */
function orderDocument(endpoint: Value, order: Value, reason: Value | null): JsonWriter {
  const document = new JsonWriter();
  document.beginObject();
  document.key("endpoint");
  document.value(endpoint);
  document.key("order");
  document.value(order);
  if (reason !== null) {
    document.key("reason");
    document.value(reason);
  }
  document.endObject();
  return document;
}

/** Whether the API says that this endpoint is now in this state. What else it says is its own affair. */
function confirms(answer: HttpAnswer, endpoint: Value, isolated: bool): bool {
  const body = answer.json();
  if (body === null || body.kind != KIND_OBJECT) return false;
  const named = body.get("endpoint");
  const state = body.get("isolated");
  if (named === null || state === null) return false;
  return named.is(endpoint.text()) && state.kind == KIND_BOOLEAN && state.flag == isolated;
}

function report(endpoint: Value, isolated: bool, order: Value, status: i32): i32 {
  const out = new JsonWriter();
  out.beginObject();
  out.key("endpoint");
  out.value(endpoint);
  out.key("isolated");
  out.boolean(isolated);
  out.key("order");
  out.value(order);
  out.key("status");
  out.integer(status);
  out.endObject();
  return out.finish();
}

function refuseUnlessName(parameters: Parameters, name: string, value: Value): void {
  if (isName(value)) return;
  parameters.refuse('parameter "' + name + '" must be 1 to 128 letters, digits, ".", "_" and "-", the first a letter or digit');
}
