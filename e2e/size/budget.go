package main

// The budgets, in bytes. A megabyte is a million of them.
const (
	// workerBudget is what the Worker's upload may weigh, compressed as
	// Cloudflare counts it. The free plan takes 3 MB; the more there is, the
	// longer a cold start takes.
	workerBudget = 1_900_000
	// pageBudget is what a shopper's first visit may download of the page, in
	// brotli: the program and all that is around it, pictures aside.
	pageBudget = 1_000_000
)

// artifact is what a budget is for.
type artifact struct {
	file   string
	budget int
	upload bool     // the budget is for what wrangler uploads, not for brotli
	around []string // files that count, too, as patterns
}

var artifacts = []artifact{
	{file: "build/signer.wasm", budget: workerBudget, upload: true},
	{file: "build/page/app.wasm", budget: pageBudget, around: []string{
		"public/index.html", "public/assets/*.js",
		"public/app-worker.js", "public/offline.html", "public/manifest.webmanifest",
	}},
}
