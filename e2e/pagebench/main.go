// Command pagebench compares the page's speed on an emulated phone with two others. One is go-app's
// own hello world, with the same toolchain and framework. The other is the same page written in
// JavaScript. One server serves all to real Chromium. It also measures the sign-in inside WeChat.
// `make bench-page` runs it; it writes docs/pagespeed.md.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"h5pay/e2e/pages"
	"h5pay/internal/cleanup"
	"h5pay/internal/cmdflag"
	"h5pay/wechat/wechattest"
)

func main() { cleanup.Main(program) }

func program() int {
	log.SetFlags(0)
	var rounds int
	cmdflag.Int(flag.CommandLine, &rounds, "rounds", 5, 1, "`number` of rounds; each visits each page twice with new browsers, with and without service workers")
	out := flag.String("o", "", "`file` for the report, which is also printed")
	cli := flag.String("lighthouse", "", "`folder` in which npm has installed Lighthouse; empty: do not run it")
	audits := 0
	cmdflag.Int(flag.CommandLine, &audits, "audits", 3, 1, "`number` of runs of Lighthouse for each page")
	first := flag.String("first", "", "`file` for the names of the functions that the page's program runs first, instead of a comparison")
	flag.Parse()
	if err := cmdflag.NoArguments(flag.CommandLine); err != nil {
		log.Print("pagebench: ", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, rounds, *cli, audits, *out, *first); err != nil {
		log.Print("pagebench: ", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, rounds int, cli string, audits int, out, first string) error {
	tmp, err := os.MkdirTemp("", "h5pay-pagebench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	browser, err := findBrowser(ctx)
	if err != nil {
		return err
	}
	var signer *url.URL
	shop, err := pages.StartTLS("node_modules/.bin/node", http.NotFoundHandler(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httputil.NewSingleHostReverseProxy(signer).ServeHTTP(w, r)
	}))
	if err != nil {
		return err
	}
	defer shop.Close()
	authority := filepath.Join(tmp, "wechat.pem")
	account := wechattest.Config{ShopURL: shop.URL, AppSecret: randomSecret(), APIKey: randomSecret()}
	wechat, stop, err := startWeChat(account, authority)
	if err != nil {
		return err
	}
	defer stop()
	signer, stop, err = startSigner(ctx, tmp, map[string]string{
		"SHOP_URL": shop.URL, "WECHAT_BASE_URL": wechat, "SSL_CERT_FILE": authority,
		"WECHAT_APPSECRET": account.AppSecret, "WECHAT_API_KEY": account.APIKey,
	})
	if err != nil {
		return err
	}
	defer stop()
	if first != "" {
		c := ours(signer)
		shop.Serve(c.site)
		return writeFirst(ctx, browser, tmp, shop.URL+"/", first, c)
	}
	hello, err := helloWorld(ctx, filepath.Join(tmp, "hello"))
	if err != nil {
		return err
	}
	js, err := byHand(ctx, signer)
	if err != nil {
		return fmt.Errorf("the page in JavaScript: %w", err)
	}
	contenders := []contender{ours(signer), hello, js}
	servers := make([]*pages.Server, len(contenders))
	for i, c := range contenders {
		if c.name == nameOurs {
			servers[i] = shop
			shop.Serve(c.site)
		} else {
			if servers[i], err = pages.StartTLS("node_modules/.bin/node", c.site, c.api); err != nil {
				return err
			}
			defer servers[i].Close()
		}
		if err := servers[i].Pack(); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		new(link).slow(servers[i])
		servers[i].Fault(http.HandlerFunc(delayed))
	}
	r := results{visits: map[series]*[2][]visit{}, signIns: map[bool][]visit{}}
	for round := range 2 * rounds {
		workers := round%2 == 1
		for i := range contenders {
			i = (i + round/2) % len(contenders) // so that neither is always first
			c := contenders[i]
			profile := filepath.Join(tmp, fmt.Sprintf("profile-%d-%d", round, i))
			first, second, err := visits(ctx, browser, profile, c, servers[i], workers)
			if err != nil {
				return err
			}
			os.RemoveAll(profile)
			r.add(c.name, workers, first, second)
			log.Printf("round %d: %-11s workers %-5v first: %v; second: %v", round/2+1, c.name, workers, first, second)
		}
		profile := filepath.Join(tmp, fmt.Sprintf("profile-%d-wechat", round))
		v, err := visitOnce(ctx, browser, profile, inWeChat(contenders[0]), shop, workers)
		if err != nil {
			return fmt.Errorf("sign-in: %w", err)
		}
		os.RemoveAll(profile)
		r.signIns[workers] = append(r.signIns[workers], v)
		log.Printf("round %d: sign-in     workers %-5v %v", round/2+1, workers, v)
	}
	found := map[string][]audit{}
	for i := range audits {
		for _, c := range contenders {
			if cli == "" {
				break
			}
			a, err := lighthouse(ctx, browser, tmp, filepath.Join(cli, "node_modules/lighthouse/cli/index.js"), c)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			found[c.name] = append(found[c.name], a)
			log.Printf("Lighthouse, run %d: %-11s %+v", i+1, c.name, a)
		}
	}
	text := r.markdown(rounds, found, loadAverage())
	fmt.Print(text)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(text), 0o644)
}

// randomSecret returns 32 letters and digits. A shop on https does not start with the values of the example.
func randomSecret() string { return (rand.Text() + rand.Text())[:32] }

// loadAverage returns the load of the machine in the last five minutes, "" where it is not known.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(text)); err == nil && len(fields) > 1 {
		return fields[1]
	}
	return ""
}
