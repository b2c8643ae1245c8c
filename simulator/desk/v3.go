package desk

import (
	"crypto/rand"
	"net/http"

	"h5pay/simulator/web"
	"h5pay/wechat/wechattest"
)

// controlV3 is GET /control/v3.
func (d *Desk) controlV3(rw http.ResponseWriter, _ *http.Request) {
	web.WriteJSON(rw, http.StatusOK, d.wechat.V3())
}

// changeV3 returns a handler that changes keys of APIv3. It reads no body.
func (d *Desk) changeV3(change func()) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		change()
		d.changedV3(rw)
	}
}

// changedV3 writes the keys to Config.V3Dir and responds with them.
func (d *Desk) changedV3(rw http.ResponseWriter) {
	if d.cfg.V3Dir != "" {
		if err := d.wechat.WriteV3(d.cfg.V3Dir); err != nil {
			web.WriteError(rw, http.StatusInternalServerError, "the keys were changed, and could not be written: "+err.Error())
			return
		}
	}
	web.WriteJSON(rw, http.StatusOK, d.wechat.V3())
}

// setV3Mode is POST /control/v3/mode.
func (d *Desk) setV3Mode(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		Mode wechattest.V3Mode `json:"mode"`
	}
	if !web.ReadJSON(rw, r, maxControlBody, &body) {
		return
	}
	if err := d.wechat.SetV3Mode(body.Mode); err != nil {
		web.WriteFailure(rw, err)
		return
	}
	d.changedV3(rw)
}

// setV3Share is POST /control/v3/share.
func (d *Desk) setV3Share(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		Percent *float64 `json:"percent"`
	}
	if !web.ReadJSON(rw, r, maxControlBody, &body) {
		return
	}
	if body.Percent == nil {
		web.WriteError(rw, http.StatusBadRequest, "percent: want 0 to 100, got nothing")
		return
	}
	if err := d.wechat.SetV3Share(*body.Percent); err != nil {
		web.WriteFailure(rw, err)
		return
	}
	d.changedV3(rw)
}

// setAPIv3Key is POST /control/v3/key.
func (d *Desk) setAPIv3Key(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		Key string `json:"key"`
	}
	if !web.ReadJSON(rw, r, maxControlBody, &body) {
		return
	}
	if body.Key == "" {
		body.Key = (rand.Text() + rand.Text())[:32]
	}
	if err := d.wechat.SetAPIv3Key(body.Key); err != nil {
		web.WriteFailure(rw, err)
		return
	}
	d.changedV3(rw)
}
