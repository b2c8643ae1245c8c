// Package demo has the programs around a shop on this machine: the simulator with its phone and
// desk, and a receiver of webhooks. It also has the settings that connect them.
package demo

import (
	"fmt"
	"io"
	"maps"
	"net"
	"strconv"

	"h5pay/simulator/server"
	"h5pay/wechat/wechattest"
)

// Config describes a Demo. All fields are required.
type Config struct {
	Settings map[string]string // of the shop, as in .dev.vars.example
	ShopURL  string            // where the shop listens
	Ports    Ports             // Shop is not used
	API      string            // version of WeChat's API: "v2" or "v3"
	Out      io.Writer         // for a line about each webhook
}

// Demo is a simulated WeChat and the merchant's back end.
type Demo struct {
	*server.Server
	// Vars are the settings of the shop that differ from Config.Settings.
	Vars     map[string]string
	receiver *receiver
}

// Start starts the simulator and the receiver. The shop does not have to listen yet.
func Start(cfg Config) (*Demo, error) {
	sim, err := server.Listen(server.Config{WeChat: wechattest.Config{
		AppID:     cfg.Settings["WECHAT_APPID"],
		AppSecret: cfg.Settings["WECHAT_APPSECRET"],
		MchID:     cfg.Settings["WECHAT_MCH_ID"],
		APIKey:    cfg.Settings["WECHAT_API_KEY"],
		ShopName:  cfg.Settings["SHOP_NAME"],
		ShopURL:   cfg.ShopURL,

		RealTimeShop: true,
		PlainRefunds: true, // the shop presents no certificate
	}, WeChatAddr: Localhost(cfg.Ports.WeChat), PhoneAddr: Localhost(cfg.Ports.Phone), DeskAddr: Localhost(cfg.Ports.Desk)})
	if err != nil {
		return nil, fmt.Errorf("starting the simulator: %w", err)
	}
	hooks, err := startReceiver(cfg.Settings, cfg.Out)
	if err != nil {
		sim.Close()
		return nil, err
	}
	vars := map[string]string{"SHOP_URL": sim.PhoneURL, "WECHAT_BASE_URL": sim.URL}
	maps.Copy(vars, hooks.vars())
	if cfg.API == "v3" {
		maps.Copy(vars, APIv3Vars(sim.V3()))
	}
	return &Demo{Server: sim, Vars: vars, receiver: hooks}, nil
}

// Close ends the simulator and the receiver.
func (d *Demo) Close() {
	d.receiver.close()
	d.Server.Close()
}

// Localhost returns the address of a port of this machine.
func Localhost(port int) string { return net.JoinHostPort("localhost", strconv.Itoa(port)) }
