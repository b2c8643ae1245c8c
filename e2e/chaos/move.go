package main

import (
	"context"
	"strings"
	"time"

	"h5pay/wechat/wechattest"
)

// migration is a move with what makes it.
type migration struct {
	move
	do func(ctx context.Context, w *deployment) error
}

// migrations are all moves of a campaign, in their order. It begins with APIv2. The steps are those of the
// runbook.
var migrations = []migration{
	{move{"from APIv2 to APIv3 with platform certificates", 0}, func(ctx context.Context, w *deployment) error {
		if err := w.worker.deploy(ctx, w.useV3); err != nil {
			return err
		}
		w.onV3.Store(true)
		return nil
	}},
	{move{"WeChat announces a platform certificate", 0}, func(_ context.Context, w *deployment) error {
		w.wechat.AnnounceV3Certificate()
		return nil
	}},
	{move{"WeChat signs with the platform certificate that it announced", 25 * time.Hour}, func(ctx context.Context, w *deployment) error {
		w.wechat.RotateV3Certificate()
		return nil
	}},
	{move{"WeChat rotates the platform certificate without an announcement", 0}, func(_ context.Context, w *deployment) error {
		w.wechat.RotateV3Certificate()
		return nil
	}},
	{move{"from platform certificates to both: WeChat signs a tenth of the callbacks with the public key", 0}, func(ctx context.Context, w *deployment) error {
		if err := w.wechat.SetV3Share(0); err != nil {
			return err
		}
		if err := w.wechat.SetV3Mode(wechattest.V3Both); err != nil {
			return err
		}
		if err := w.worker.deploy(ctx, func(vars map[string]string) {
			id := w.wechat.V3()
			vars["WECHAT_PUBLIC_KEY"], vars["WECHAT_PUBLIC_KEY_ID"] = id.PublicKey, id.PublicKeyID
		}); err != nil {
			return err
		}
		return w.wechat.SetV3Share(10)
	}},
	{move{"WeChat signs all callbacks with the public key", 0}, func(_ context.Context, w *deployment) error {
		return w.wechat.SetV3Share(100)
	}},
	{move{"from both to the public key alone", 25 * time.Hour}, func(ctx context.Context, w *deployment) error {
		if err := w.worker.deploy(ctx, func(vars map[string]string) { vars["WECHAT_CERTIFICATES"] = "off" }); err != nil {
			return err
		}
		return w.wechat.SetV3Mode(wechattest.V3PublicKey)
	}},
	{move{"from one APIv3 key to the next", 0}, func(ctx context.Context, w *deployment) error {
		next := strings.Repeat("NextAPIv3Key0000", 2)
		w.secret("the next WECHAT_APIV3_KEY", next)
		w.keys.useAPIv3Key(next)
		if err := w.worker.deploy(ctx, func(vars map[string]string) {
			vars["WECHAT_APIV3_KEY_OLD"], vars["WECHAT_APIV3_KEY"] = vars["WECHAT_APIV3_KEY"], next
		}); err != nil {
			return err
		}
		return w.wechat.SetAPIv3Key(next)
	}},
	{move{"the former APIv3 key is deleted", 49 * time.Hour}, func(ctx context.Context, w *deployment) error {
		return w.worker.deploy(ctx, func(vars map[string]string) { delete(vars, "WECHAT_APIV3_KEY_OLD") })
	}},
	{move{"from one merchant API certificate to the next", 0}, func(ctx context.Context, w *deployment) error {
		w.wechat.RotateV3MerchantKey()
		id := w.wechat.V3()
		w.secret("the next WECHAT_MCH_KEY", id.PrivateKey)
		return w.worker.deploy(ctx, func(vars map[string]string) {
			vars["WECHAT_MCH_KEY"], vars["WECHAT_MCH_SERIAL"] = id.PrivateKey, id.Serial
		})
	}},
	{move{"the former merchant API certificate is revoked", 25 * time.Hour}, func(_ context.Context, w *deployment) error {
		w.keys.revoke(w.wechat.Now())
		w.wechat.RevokeV3MerchantKeys()
		return nil
	}},
}

// moves are those of migrations.
func moves() (all []move) {
	for _, m := range migrations {
		all = append(all, m.move)
	}
	return all
}

func (w *deployment) move(ctx context.Context, i int) error { return migrations[i].do(ctx, w) }
