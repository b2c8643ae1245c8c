package wechattest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
)

// v3Echo serves POST /v3/security/echo, which tests signing, encryption and a notify URL without a
// payment. It decrypts encrypted_echo_message with WeChat's key and encrypts it with the
// merchant's, in OAEP with SHA-1.
func (w *WeChat) v3Echo(c *v3Call) {
	table := []v3Field{
		v3Text("echo_message", "回显信息", 1024).need(), v3Text("encrypted_echo_message", "加密回显信息", 1024),
		{name: "notify_url", title: "通知地址", max: 255, form: v3NotifyURL},
	}
	if !c.readBody(table) {
		return
	}
	if c.r.Header.Get("Wechatpay-Serial") == "" {
		c.note("echo wants the header Wechatpay-Serial")
		c.decline(http.StatusBadRequest, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误")
		return
	}
	reply := v3Object{{"echo_message", c.fields.text("echo_message")}}
	if text := c.fields.text("encrypted_echo_message"); text != "" {
		sealed, err := base64.StdEncoding.DecodeString(text)
		var plain []byte
		if err == nil {
			plain, err = rsa.DecryptOAEP(sha1.New(), nil, c.key.key, sealed, nil)
		}
		if err != nil {
			c.note("encrypted_echo_message does not decrypt with the key %s (OAEP, SHA-1)", c.key.id)
			c.declineField(&v3Problem{message: "敏感信息解密失败", location: "body", value: "/body/encrypted_echo_message"})
			return
		}
		keys := w.merchantKeys()
		back, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, &keys[len(keys)-1].key.PublicKey, plain, nil)
		if err != nil {
			panic("wechattest: encrypting: " + err.Error()) // as long as the text that was received
		}
		reply = append(reply, v3Member{"encrypted_echo_message", base64.StdEncoding.EncodeToString(back)})
	}
	_, lost := w.takeFault(FaultEchoLost, "")
	if lost {
		c.note("fault echo_lost: no callback is sent")
	}
	if url := c.fields.text("notify_url"); url != "" && !lost {
		n := &notification{Notification: Notification{ID: "n" + w.ids.text(alnum, 12), URL: url}}
		resource := v3Resource{n.uuid(), "SECURITY_ECHO.SUCCESS", "security", "回调通知成功", v3Object{{"echo_message", c.fields.text("echo_message")}}}
		w.clock.at(w.Now(), func() { w.sendEcho(url, resource) })
	}
	c.succeed(reply)
}

// sendEcho sends the callback of an echo, once.
func (w *WeChat) sendEcho(url string, resource v3Resource) {
	l := w.v3Delivery(resource, "")
	m := Message{
		From: PartyWeChat, To: PartyShop, Kind: "v3_echo_notify", Method: http.MethodPost, URL: url, Request: l.body, Signed: l.signed, Plain: l.plain,
		Note: l.note, RequestHeader: headerLines(l.header, v3SignatureHeaders...),
	}
	ctx, cancel := context.WithTimeout(w.ctx, w.cfg.NotifyTimeout)
	defer cancel()
	var reason string
	m.Status, m.Response, reason = w.deliver(ctx, url, l)
	if reason == "" {
		reason = "acknowledged"
	}
	m.Note = joinNotes(m.Note, reason)
	w.record(m)
}
