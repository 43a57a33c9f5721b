// Sends what the panel says with each request that Swagger UI makes of the contract.
(() => {
  const at = (name) => document.getElementById(name);
  // Without a name the world stays in the scenario that it is in.
  const world = () => {
    const session = { "X-Mock-Session": at("mock-session").value };
    const scenario = at("mock-scenario").value;
    return scenario ? { ...session, "X-Mock-Scenario": scenario } : session;
  };
  const headers = () => {
    const prefer = at("mock-prefer").value.trim();
    return prefer ? { ...world(), Prefer: prefer } : world();
  };

  at("mock").addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    const answer = await fetch("mock/reset", { method: "POST", headers: world() });
    const told = await answer.json();
    at("mock-told").textContent = answer.ok
      ? `The session ${told.session} began again as ${told.scenario}.`
      : told.error.details.map((detail) => `${detail.pointer} ${detail.message}`).join(" ");
  });

  window.swaggerOptions = {
    requestInterceptor: (request) => {
      if (!request.loadSpec) Object.assign(request.headers, headers());
      return request;
    },
    onComplete: () => window.ui.preauthorizeApiKey("apiKey", "any-token"),
  };
})();
