// Package command is the command line of the simulator, for `go run ./simulator` and for
// `h5pay simulator`.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"h5pay/simulator/server"
	"h5pay/wechat/wechattest"
)

// Main runs the simulator until ctx ends. It returns the exit status of the command.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := run(ctx, args, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		return 2 // the flag set has printed the error
	case err != nil:
		fmt.Fprintln(stderr, "simulator:", err)
		return 1
	}
	return 0
}

// errUsage is a command line that does not parse.
var errUsage = errors.New("usage")

// options is the command line.
type options struct {
	cfg     wechattest.Config
	ports   [4]int // WeChat, phone, desk, WeChat over TLS, as portFlags
	json    bool
	openID  string
	certDir string
	v3Dir   string

	bridgeDelay time.Duration
}

// portFlags name the flags of options.ports.
var portFlags = [4]string{"port", "phone-port", "desk-port", "tls-port"}

// parse reads the command line. The defaults are those of .dev.vars.example.
func parse(args []string, stderr io.Writer) (options, error) {
	o := options{}
	c := &o.cfg
	c.RealTimeShop = true
	fs := flag.NewFlagSet("simulator", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&c.AppID, "appid", wechattest.DefaultAppID, "`appid` of the Official Account: wx and 16 hex digits")
	fs.StringVar(&c.AppSecret, "secret", wechattest.DefaultAppSecret, "`appsecret`, 32 letters and digits")
	fs.StringVar(&c.MchID, "mch-id", wechattest.DefaultMchID, "merchant `number`, 8 to 10 digits")
	fs.StringVar(&c.APIKey, "key", wechattest.DefaultAPIKey, "APIv2 `key`, 32 letters and digits")
	fs.StringVar(&c.ShopName, "shop-name", wechattest.DefaultShopName, "merchant's `name` on the payment sheet")
	fs.StringVar(&o.openID, "openid", "", "`openid` of the person who holds the phone, 28 characters (default: three people made from the seed)")
	fs.StringVar(&c.ShopURL, "shop", "http://localhost:8787", "`URL` where the shop listens; the phone forwards to it")
	fs.IntVar(&o.ports[0], "port", 8800, "`port` of WeChat's servers; 0 takes any free one")
	fs.IntVar(&o.ports[2], "desk-port", 8801, "`port` of the desk, the page to open")
	fs.IntVar(&o.ports[1], "phone-port", 8802, "`port` of the phone, which plays the shop's public domain")
	fs.IntVar(&o.ports[3], "tls-port", 8803, "`port` of WeChat's servers over TLS, where refund wants the merchant's certificate")
	fs.StringVar(&o.certDir, "cert-dir", "", "`directory` to write the merchant's certificate and key into, and the root of the TLS port")
	fs.StringVar(&c.APIv3Key, "v3-key", wechattest.DefaultAPIv3Key, "APIv3 `key`, 32 letters and digits")
	fs.StringVar((*string)(&c.V3Mode), "v3-mode", string(wechattest.V3PublicKey), "the `keys` that WeChat has in APIv3: public_key, certificates or both")
	fs.StringVar(&o.v3Dir, "v3-dir", "", "`directory` to write the keys and values of APIv3 into")
	fs.BoolVar(&c.PlainRefunds, "plain-refunds", false, "take refunds on the plain port without a certificate, for shops that cannot present one")
	fs.StringVar(&c.RefundNotifyURL, "refund-notify-url", "", "`URL` that hears of refunds whose request names none: the merchant platform's setting")
	fs.DurationVar(&c.RefundTime, "refund-time", 5*time.Second, "how long a refund is PROCESSING, on the simulator's clock")
	fs.Func("h5-domain", "`host` from which MWEB orders may be paid; may be repeated (default: the hosts of phone and shop)", func(host string) error {
		c.H5Domains = append(c.H5Domains, host)
		return nil
	})
	fs.Func("pay-dir", "payment directory, a `URL` ending in /; may be repeated (default: the roots of phone and shop)", func(dir string) error {
		c.PayDirs = append(c.PayDirs, dir)
		return nil
	})
	fs.StringVar(&c.OAuthDomain, "oauth-domain", "", "web-authorization `domain` (default: the hosts of phone and shop)")
	fs.StringVar((*string)(&c.Environment), "environment", string(wechattest.Android), "`where` the shop is open at first: "+environments())
	fs.Int64Var(&c.Seed, "seed", 1, "`seed` of the people: the same openids at every start; not 0")
	fs.BoolVar(&c.Hostile, "hostile", false, "what a client should survive: unknown fields, coupons, elements in another order")
	fs.Float64Var(&c.TimeScale, "time-scale", 1, "simulator `seconds` per real second; 60 makes a minute a second")
	fs.DurationVar(&o.bridgeDelay, "bridge-delay", 300*time.Millisecond, "how long after DOMContentLoaded WeixinJSBridge appears")
	fs.BoolVar(&o.json, "json", false, "print one JSON object instead of the table, then nothing")
	fs.Usage = func() {
		fmt.Fprint(stderr, "WeChat on this machine. Open the desk's URL that it prints.\n\n")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, errUsage
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "simulator takes flags only, not %q\n", fs.Arg(0))
		return o, errUsage
	}
	// A Config's 0 means the default.
	if c.Seed == 0 || c.TimeScale == 0 {
		fmt.Fprintln(stderr, "-seed and -time-scale: want another number than 0")
		return o, errUsage
	}
	if o.bridgeDelay == 0 {
		o.bridgeDelay = -1 // at once
	}
	if o.openID != "" {
		c.Users = []wechattest.User{{OpenID: o.openID, Nickname: "微信用户", Subscribed: true}}
	}
	c.ShopURL = strings.TrimSuffix(c.ShopURL, "/")
	for i, port := range o.ports {
		if port < 0 || port > 65535 {
			fmt.Fprintf(stderr, "-%s: want 0 to 65535, got %d\n", portFlags[i], port)
			return o, errUsage
		}
	}
	return o, nil
}

// environments lists the values of -environment.
func environments() string {
	var names []string
	for _, p := range wechattest.Environments() {
		names = append(names, string(p.Environment))
	}
	return strings.Join(names, ", ")
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if !o.json {
		o.cfg.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	var addrs [4]string
	for i, port := range o.ports {
		addrs[i] = net.JoinHostPort("localhost", strconv.Itoa(port))
	}
	o.cfg.TLSAddr = addrs[3]
	if o.v3Dir != "" {
		if o.v3Dir, err = filepath.Abs(o.v3Dir); err != nil {
			return fmt.Errorf("-v3-dir: %w", err)
		}
	}
	s, err := server.Listen(server.Config{WeChat: o.cfg, V3Dir: o.v3Dir, BridgeDelay: o.bridgeDelay, WeChatAddr: addrs[0], PhoneAddr: addrs[1], DeskAddr: addrs[2]})
	if err != nil {
		return explain(err, o.ports)
	}
	defer s.Close()
	if o.certDir != "" {
		if err := s.WriteCertificates(o.certDir); err != nil {
			return err
		}
	}
	if o.json {
		err = json.NewEncoder(stdout).Encode(s.Identity())
	} else {
		err = printTable(stdout, s.Identity())
	}
	if err != nil {
		return fmt.Errorf("printing the addresses: %w", err)
	}
	<-ctx.Done()
	return nil
}

// explain names the flag of a port that is in use.
func explain(err error, ports [4]int) error {
	var op *net.OpError
	if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &op) {
		return err
	}
	addr, ok := op.Addr.(*net.TCPAddr)
	if !ok {
		return err
	}
	for i, port := range ports {
		if port == addr.Port {
			return fmt.Errorf("port %d is used by another program, perhaps a simulator that still runs.\nEnd that program, or choose another port: -%s %d", port, portFlags[i], port+10)
		}
	}
	return err
}
