import { defineConfig, loadEnv } from "vite";

// The page asks its own origin, as it will where it is put beside the account API. While it is developed, Vite passes the
// questions on: to the mock (`sendmeter mock`), or to another server.
export default defineConfig(({ mode }) => {
  const { SENDMETER_URL: target = "http://127.0.0.1:4010" } = loadEnv(mode, ".", "SENDMETER_");
  const local = { host: "127.0.0.1", proxy: { "/account": { target, changeOrigin: true } } };
  return { server: local, preview: local };
});
