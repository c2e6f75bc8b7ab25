/** exoarmur/client: the same `execute` for agents in other processes, over a control plane; without `node:*`. */
export type { Client, ClientOptions, RemoteCallOptions, RemoteDraft } from "../client/client.js";
export { createClient } from "../client/client.js";
export type { AgentKey } from "../client/credential.js";
export type { FollowOptions, LiveMessage } from "../client/live.js";
export type { LoginOptions, OpenedSession } from "../client/login.js";
export { login } from "../client/login.js";
export type { RemoteBundle, RemoteResult } from "../client/result.js";
export type { Advice, NextStep } from "../contracts/advice.js";
export { nextStepsOf } from "../contracts/advice.js";
