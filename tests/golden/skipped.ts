/** The scenarios that the mock server is not tried with, and why. */
export const skipped: Record<string, string> = {
  "script-lua-globals": "calls functions of the Lua library, which a mock may leave out",
};
