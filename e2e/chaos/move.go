package main

import (
	"context"
	"strings"
	"time"

	"h5pay/internal/paytest/campaign"
	"h5pay/wechat/wechattest"
)

// migration is a move with what makes it.
type migration struct {
	campaign.Move
	do func(ctx context.Context, w *deployment) error
}

// migrations are all moves of a campaign, in their order. It begins with APIv2. The steps are those of the
// runbook.
var migrations = []migration{
	{campaign.Move{Name: "from APIv2 to APIv3 with platform certificates", After: 0}, func(ctx context.Context, w *deployment) error {
		if err := w.worker.deploy(ctx, w.useV3); err != nil {
			return err
		}
		w.OnV3.Store(true)
		return nil
	}},
	{campaign.Move{Name: "WeChat announces a platform certificate", After: 0}, func(_ context.Context, w *deployment) error {
		w.WeChat.AnnounceV3Certificate()
		return nil
	}},
	{campaign.Move{Name: "WeChat signs with the platform certificate that it announced", After: 25 * time.Hour}, func(ctx context.Context, w *deployment) error {
		w.WeChat.RotateV3Certificate()
		return nil
	}},
	{campaign.Move{Name: "WeChat rotates the platform certificate without an announcement", After: 0}, func(_ context.Context, w *deployment) error {
		w.WeChat.RotateV3Certificate()
		return nil
	}},
	{campaign.Move{Name: "from platform certificates to both: WeChat signs a tenth of the callbacks with the public key", After: 0}, func(ctx context.Context, w *deployment) error {
		if err := w.WeChat.SetV3Share(0); err != nil {
			return err
		}
		if err := w.WeChat.SetV3Mode(wechattest.V3Both); err != nil {
			return err
		}
		if err := w.worker.deploy(ctx, func(vars map[string]string) {
			id := w.WeChat.V3()
			vars["WECHAT_PUBLIC_KEY"], vars["WECHAT_PUBLIC_KEY_ID"] = id.PublicKey, id.PublicKeyID
		}); err != nil {
			return err
		}
		return w.WeChat.SetV3Share(10)
	}},
	{campaign.Move{Name: "WeChat signs all callbacks with the public key", After: 0}, func(_ context.Context, w *deployment) error {
		return w.WeChat.SetV3Share(100)
	}},
	{campaign.Move{Name: "from both to the public key alone", After: 25 * time.Hour}, func(ctx context.Context, w *deployment) error {
		if err := w.worker.deploy(ctx, func(vars map[string]string) { vars["WECHAT_CERTIFICATES"] = "off" }); err != nil {
			return err
		}
		return w.WeChat.SetV3Mode(wechattest.V3PublicKey)
	}},
	{campaign.Move{Name: "from one APIv3 key to the next", After: 0}, func(ctx context.Context, w *deployment) error {
		next := strings.Repeat("NextAPIv3Key0000", 2)
		w.Secret("the next WECHAT_APIV3_KEY", next)
		w.Keys.UseAPIv3Key(next)
		if err := w.worker.deploy(ctx, func(vars map[string]string) {
			vars["WECHAT_APIV3_KEY_OLD"], vars["WECHAT_APIV3_KEY"] = vars["WECHAT_APIV3_KEY"], next
		}); err != nil {
			return err
		}
		return w.WeChat.SetAPIv3Key(next)
	}},
	{campaign.Move{Name: "the former APIv3 key is deleted", After: 49 * time.Hour}, func(ctx context.Context, w *deployment) error {
		return w.worker.deploy(ctx, func(vars map[string]string) { delete(vars, "WECHAT_APIV3_KEY_OLD") })
	}},
	{campaign.Move{Name: "from one merchant API certificate to the next", After: 0}, func(ctx context.Context, w *deployment) error {
		w.WeChat.RotateV3MerchantKey()
		id := w.WeChat.V3()
		w.Secret("the next WECHAT_MCH_KEY", id.PrivateKey)
		return w.worker.deploy(ctx, func(vars map[string]string) {
			vars["WECHAT_MCH_KEY"], vars["WECHAT_MCH_SERIAL"] = id.PrivateKey, id.Serial
		})
	}},
	{campaign.Move{Name: "the former merchant API certificate is revoked", After: 25 * time.Hour}, func(_ context.Context, w *deployment) error {
		w.Keys.Revoke(w.WeChat.Now())
		w.WeChat.RevokeV3MerchantKeys()
		return nil
	}},
}

// moves are those of migrations.
func moves() (all []campaign.Move) {
	for _, m := range migrations {
		all = append(all, m.Move)
	}
	return all
}

func (w *deployment) Move(ctx context.Context, i int) error { return migrations[i].do(ctx, w) }
