export const compilerOptions: readonly string[];
