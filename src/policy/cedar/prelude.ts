/**
 * What every Cedar policy may speak of (spec/policy-cedar.md, The request), declared before the author's own schema. A
 * part of the evaluator's revision: no document can change it.
 */
export const prelude = `entity Group in [Group];
entity Actor in [Group] { type: String };
entity Target in [Target] { text: String, scheme?: String, host?: String, port?: Long, path?: String };
entity Cell;
type Attested = { predicateType: String, attester: String };
type Attestation = { predicateType: String, attester: String, subject: String };
type Request = {
  tenant: String,
  cell: String,
  requester: String,
  method: String,
  onBehalfOf?: String,
  effects?: String,
  executor?: String,
  function?: String,
  attested: Set<Attested>,
  attestations: Set<Attestation>
};
`;
