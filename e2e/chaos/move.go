package main

import (
	"context"
	"log"
	"strings"
	"time"

	"h5pay/internal/job"
	"h5pay/wechat/wechattest"
)

// move is a change of the API version or of a key, by the merchant or by WeChat, while orders and
// refunds are open. Its steps are those of the runbook.
type move struct {
	name  string
	after time.Duration // how long the round before it lasts at least
	do    func(ctx context.Context, c *campaign) error
}

// moves are all moves of a campaign, in their order. It begins with APIv2.
var moves = []move{
	{"from APIv2 to APIv3 with platform certificates", 0, func(ctx context.Context, c *campaign) error {
		if err := c.worker.deploy(ctx, c.useV3); err != nil {
			return err
		}
		c.onV3.Store(true)
		return nil
	}},
	{"WeChat announces a platform certificate", 0, func(_ context.Context, c *campaign) error {
		c.wechat.AnnounceV3Certificate()
		return nil
	}},
	{"WeChat signs with the platform certificate that it announced", 25 * time.Hour, func(ctx context.Context, c *campaign) error {
		c.wechat.RotateV3Certificate()
		return nil
	}},
	{"WeChat rotates the platform certificate without an announcement", 0, func(_ context.Context, c *campaign) error {
		c.wechat.RotateV3Certificate()
		return nil
	}},
	{"from platform certificates to both: WeChat signs a tenth of the callbacks with the public key", 0, func(ctx context.Context, c *campaign) error {
		if err := c.wechat.SetV3Share(0); err != nil {
			return err
		}
		if err := c.wechat.SetV3Mode(wechattest.V3Both); err != nil {
			return err
		}
		if err := c.worker.deploy(ctx, func(vars map[string]string) {
			id := c.wechat.V3()
			vars["WECHAT_PUBLIC_KEY"], vars["WECHAT_PUBLIC_KEY_ID"] = id.PublicKey, id.PublicKeyID
		}); err != nil {
			return err
		}
		return c.wechat.SetV3Share(10)
	}},
	{"WeChat signs all callbacks with the public key", 0, func(_ context.Context, c *campaign) error {
		return c.wechat.SetV3Share(100)
	}},
	{"from both to the public key alone", 25 * time.Hour, func(ctx context.Context, c *campaign) error {
		if err := c.worker.deploy(ctx, func(vars map[string]string) { vars["WECHAT_CERTIFICATES"] = "off" }); err != nil {
			return err
		}
		return c.wechat.SetV3Mode(wechattest.V3PublicKey)
	}},
	{"from one APIv3 key to the next", 0, func(ctx context.Context, c *campaign) error {
		next := strings.Repeat("NextAPIv3Key0000", 2)
		c.secret("the next WECHAT_APIV3_KEY", next)
		c.keys.useAPIv3Key(next)
		if err := c.worker.deploy(ctx, func(vars map[string]string) {
			vars["WECHAT_APIV3_KEY_OLD"], vars["WECHAT_APIV3_KEY"] = vars["WECHAT_APIV3_KEY"], next
		}); err != nil {
			return err
		}
		return c.wechat.SetAPIv3Key(next)
	}},
	{"the former APIv3 key is deleted", 49 * time.Hour, func(ctx context.Context, c *campaign) error {
		return c.worker.deploy(ctx, func(vars map[string]string) { delete(vars, "WECHAT_APIV3_KEY_OLD") })
	}},
	{"from one merchant API certificate to the next", 0, func(ctx context.Context, c *campaign) error {
		c.wechat.RotateV3MerchantKey()
		id := c.wechat.V3()
		c.secret("the next WECHAT_MCH_KEY", id.PrivateKey)
		return c.worker.deploy(ctx, func(vars map[string]string) {
			vars["WECHAT_MCH_KEY"], vars["WECHAT_MCH_SERIAL"] = id.PrivateKey, id.Serial
		})
	}},
	{"the former merchant API certificate is revoked", 25 * time.Hour, func(_ context.Context, c *campaign) error {
		c.keys.revoke(c.wechat.Now())
		c.wechat.RevokeV3MerchantKeys()
		return nil
	}},
}

// move makes a move while buyers act.
func (c *campaign) move(ctx context.Context, m move) {
	log.Print("move: ", m.name)
	if m.after > 0 { // the timer of these hours
		c.checkEvent(c.worker.tick(ctx, job.CheckBills))
	}
	if err := m.do(ctx, c); err != nil {
		c.note(wrong, "", "move: %s: %v", m.name, err)
	}
	c.count("move: " + m.name)
}
