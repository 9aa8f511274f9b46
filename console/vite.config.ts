import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The build goes below dist/, whose committed page stands in until there is one.
export default defineConfig({
  plugins: [react()],
  build: { outDir: "dist/app", emptyOutDir: true, cssTarget: "chrome123", chunkSizeWarningLimit: 1500 },
  server: { proxy: { "/api": "http://127.0.0.1:8420" } },
});
