// A reader whose browser prefers Chinese gets the Chinese page. A link to the English one says ?lang=en.
if (!new URLSearchParams(location.search).has("lang") && /^zh\b/i.test(navigator.languages?.[0] ?? navigator.language ?? "")) {
  location.replace("/v1/docs-zh" + location.hash);
}
