package main

// The budgets, in bytes. A megabyte is a million of them.
const (
	// workerBudget is what the Worker's upload may weigh, compressed as
	// Cloudflare counts it. The free plan takes 3 MB; the more there is, the
	// longer a cold start takes.
	workerBudget = 1_900_000
	// pageBudget is what a shopper's first visit may download of the page's
	// program, in brotli, as Cloudflare serves it to every browser of today.
	pageBudget = 1_000_000
)

// artifact is what a budget is for.
type artifact struct {
	file   string
	budget int
	upload bool // the budget is for what wrangler uploads, not for brotli
}

var artifacts = []artifact{
	{file: "build/signer.wasm", budget: workerBudget, upload: true},
	{file: "build/page/app.wasm", budget: pageBudget},
}
