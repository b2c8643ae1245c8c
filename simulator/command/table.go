package command

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"h5pay/simulator/desk"
)

// printTable prints the addresses to open and the values of a shop's settings.
func printTable(out io.Writer, id desk.Identity) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value, remark string) { fmt.Fprintf(t, "  %s\t%s\t%s\n", name, value, remark) }
	fmt.Fprintf(t, "\nWeChat on this machine. Open  %s\n\n", id.DeskURL)
	row("desk", id.DeskURL, "the phone, the message log, the control API")
	row("WeChat", id.WeChatURL, "open.weixin.qq.com, api.weixin.qq.com, api.mch.weixin.qq.com")
	row("over TLS", id.TLSURL, "the same; refund wants the merchant's certificate: -cert-dir")
	row("phone", id.PhoneURL, "the shop's public domain: redirect_uri and notify_url")
	row("shop", id.ShopURL, "where the phone forwards to")
	fmt.Fprintln(t)
	row("appid", id.AppID, "")
	row("appsecret", id.AppSecret, "")
	row("mch_id", id.MchID, "")
	row("APIv2 key", id.APIKey, "")
	row("APIv3 key", id.V3.APIv3Key, "APIv3: mode "+string(id.V3.Mode)+"; the private key is written by -v3-dir")
	row("serial_no", id.V3.Serial, "of the merchant's API certificate")
	if id.V3.PublicKeyID != "" {
		row("public key id", id.V3.PublicKeyID, "")
	}
	for _, c := range id.V3.Certificates {
		row("platform cert", c.Serial, "")
	}
	row("payment dirs", strings.Join(id.PayDirs, " "), "")
	row("environment", string(id.Environment), "where the shop is open; the desk changes it")
	for i, u := range id.Users {
		name := ""
		if i == 0 {
			name = "people"
		}
		row(name, u.OpenID, u.Nickname)
	}
	fmt.Fprintln(t)
	row("seed", fmt.Sprint(id.Seed), "")
	row("time scale", fmt.Sprint(id.TimeScale), "")
	fmt.Fprintln(t, "\nCtrl-C ends it.")
	return t.Flush()
}
