/**
 * Stands for a secret in a header value or body of `http_request`: the host fills it in where the deployment has bound it
 * (spec/capabilities.md), after the request was judged. The guest never sees it, and neither does the transcript.
 */
export function secret(name: string): string {
  return "{{secret:" + name + "}}";
}
