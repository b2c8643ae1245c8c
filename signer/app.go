package main

import (
	"database/sql"
	"log/slog"
	"net/http"

	"h5pay/internal/order"
	"h5pay/internal/server"
	"h5pay/internal/wechat"
)

// newHandler wires the signer: settings, store, WeChat client, server. With a
// bad setting it still answers, with the code "misconfigured", and names the
// setting in the log.
func newHandler(getenv func(string) string, db *sql.DB, doer wechat.Doer, log *slog.Logger) http.Handler {
	set, err := loadSettings(getenv)
	if err != nil {
		return server.Unavailable(err, log)
	}
	client, err := wechat.New(wechat.Config{
		AppID:     set.AppID,
		AppSecret: set.AppSecret,
		MchID:     set.MchID,
		APIKey:    set.APIKey,
		SignType:  set.SignType,
		OpenURL:   set.BaseURL,
		APIURL:    set.BaseURL,
		MchURL:    set.BaseURL,
		Doer:      doer,
	})
	if err != nil {
		return server.Unavailable(err, log)
	}
	srv, err := server.New(server.Config{
		ShopName:   set.ShopName,
		ShopURL:    set.ShopURL,
		Scope:      set.Scope,
		AppID:      set.AppID,
		MchID:      set.MchID,
		SessionKey: set.SessionKey,
		Store:      order.NewStore(db),
		WeChat:     client,
		Log:        log,
	})
	if err != nil {
		return server.Unavailable(err, log)
	}
	return srv.Handler()
}
