package doctor

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"h5pay/internal/cause"
	"h5pay/internal/v1"
	"h5pay/wechat"
)

// budget is how long all checks may take.
const budget = 9 * time.Second

// Run runs the checks, in 10 s at most, and returns their results in the order of the table.
// If another check has found the same cause, a failed check becomes skipped.
func (d *Doctor) Run(ctx context.Context, token string) []v1.CheckResult {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	var all []v1.CheckResult
	var mu sync.Mutex
	found := map[cause.Check]result{}
	var group sync.WaitGroup
	check := func(name cause.Check, f func(ctx context.Context) result) {
		group.Go(func() {
			began := d.now()
			r := d.safely(func() result { return f(ctx) })
			out := present(name, r)
			out.TookMS = d.now().Sub(began).Milliseconds()
			mu.Lock()
			defer mu.Unlock()
			found[name], all = r, append(all, out)
		})
	}
	check(cause.SignIn, d.signIn)
	check(cause.SignInDomain, d.signInDomain)
	check(cause.CallV2, d.callV2)
	check(cause.CallV3, d.callV3)
	check(cause.PlatformKeys, d.platformKeys)
	group.Go(func() {
		results := d.endpoints(ctx) // each of them catches its panics
		mu.Lock()
		defer mu.Unlock()
		all = append(all, results...)
	})
	group.Go(func() {
		results := []v1.CheckResult{present(cause.NotifyURL, skip(elsewhere)), present(cause.DomainFile, skip(elsewhere))}
		if d.cfg.Outside != nil {
			d.safely(func() result {
				results = d.cfg.Outside(ctx, d.cfg.ShopURL, token)
				return result{}
			})
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, results...)
	})
	group.Wait()
	clock := present(cause.Clock, d.clock())
	blocked := slices.ContainsFunc(all, func(c v1.CheckResult) bool {
		return c.ID == string(cause.NotifyURL) && c.Cause != ""
	})
	signIn, v3, keys := found[cause.SignIn], found[cause.CallV3], found[cause.PlatformKeys]
	call := v3
	if d.cfg.Version == wechat.V2 {
		call = found[cause.CallV2]
	}
	check(cause.Order, func(ctx context.Context) result {
		switch {
		case call.cause != "" || call.skipped || signIn.cause == cause.AppIDUnknown || clock.Status == v1.CheckFail:
			return skip(follows)
		}
		return d.order(ctx)
	})
	check(cause.Echo, func(ctx context.Context) result {
		switch {
		case v3.skipped:
			return skip("only APIv3 has a test callback")
		case v3.cause != "" || blocked || clock.Status == v1.CheckFail || keys.cause != "":
			return skip(follows)
		}
		return d.echo(ctx)
	})
	group.Wait()
	return once(append(all, clock))
}

// sequence is the order of the results. The first check that finds a cause keeps it.
var sequence = [...]cause.Check{
	cause.Clock, cause.SignIn, cause.SignInDomain, cause.CallV2, cause.CallV3, cause.PlatformKeys, cause.Order,
	cause.NotifyURL, cause.DomainFile, cause.Echo, cause.Webhook,
}

// once sorts results and keeps each cause once, in the first check that has it.
func once(all []v1.CheckResult) []v1.CheckResult {
	slices.SortStableFunc(all, func(a, b v1.CheckResult) int {
		return cmp.Compare(slices.Index(sequence[:], cause.Check(a.ID)), slices.Index(sequence[:], cause.Check(b.ID)))
	})
	first := map[string]string{}
	for i, c := range all {
		switch by, ok := first[c.Cause]; {
		case c.Cause == string(cause.AppIDNotBound) && first[string(cause.AppIDUnknown)] != "":
			all[i] = v1.CheckResult{ID: c.ID, Status: v1.CheckSkipped, Detail: follows, TookMS: c.TookMS}
		case c.Cause == "" || c.ID == string(cause.Webhook):
		case ok && by != c.ID:
			all[i] = v1.CheckResult{ID: c.ID, Status: v1.CheckSkipped, Detail: "the same cause as " + by, TookMS: c.TookMS}
		default:
			first[c.Cause] = c.ID
		}
	}
	return all
}
