import { createMemoryStore } from "../../src/stores/memory.js";
import { describeStore } from "./contract.js";

describeStore({ name: "memory", open: async () => createMemoryStore(), cleanup: async () => {} });
