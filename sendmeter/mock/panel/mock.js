// Sends what the panel says with each request that Swagger UI makes of the contract.
(() => {
  const at = (name) => document.getElementById(name);
  const world = () => ({ "X-Mock-Scenario": at("mock-scenario").value, "X-Mock-Session": at("mock-session").value });
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
