package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/v1"
)

var (
	textNewKey      = text{"新建密钥", "Make a key"}
	textKeyName     = text{"姓名或用途", "Who or what it is for"}
	textRole        = text{"角色", "Role"}
	textRoleRead    = text{"查看", "Read"}
	textRoleSell    = text{"售卖：查看、商品、订单", "Sell: read, products, orders"}
	textRoleRefund  = text{"退款：售卖和退款", "Refund: sell, and refund"}
	textRoleAdmin   = text{"管理员：全部", "Admin: everything"}
	textExpiresIn   = text{"有效期", "Valid for"}
	textForever     = text{"直到撤销", "Until it is revoked"}
	textDays30      = text{"30 天", "30 days"}
	textDays365     = text{"365 天", "365 days"}
	textMake        = text{"创建", "Make"}
	textMade        = text{"密钥已创建，只显示这一次", "The key is made. It is shown this once"}
	textRevoke      = text{"撤销", "Revoke"}
	textRevokeTitle = text{"确定撤销密钥？", "Revoke this key?"}
	textRevokeHint  = text{"使用它的程序和登录会立即失效，且无法恢复", "Programs and sign-ins that use it stop at once. It cannot be undone"}
	textRevoked     = text{"已撤销", "Revoked"}
	textExpired     = text{"已过期", "Expired"}
	textValid       = text{"有效", "Valid"}
	textLastUsed    = text{"上次使用", "Last used"}
	textNeverUsed   = text{"从未使用", "Never used"}
	textNoKeys      = text{"没有密钥", "No keys"}
	textNoKeysHint  = text{"为每个人、每个程序各建一把", "Make one for each person and each program"}
)

// role is a set of scopes with a name.
type role struct {
	name   string
	text   text
	scopes []v1.Scope
}

var roles = []role{
	{"read", textRoleRead, []v1.Scope{v1.ScopeRead}},
	{"sell", textRoleSell, []v1.Scope{v1.ScopeRead, v1.ScopeWrite}},
	{"refund", textRoleRefund, []v1.Scope{v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund}},
	{"admin", textRoleAdmin, []v1.Scope{v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund, v1.ScopeAdmin}},
}

// keysScreen lists the API keys, makes and revokes them.
type keysScreen struct {
	app.Compo
	base

	keys             []v1.Key
	name, role, life string // in the form
	made             v1.Key // with its text, until the screen is left
}

func newKeysScreen(c *console) *keysScreen {
	return &keysScreen{base: base{c: c, path: "/console/keys", title: textKeys}, role: "read"}
}

func (p *keysScreen) OnMount(ctx app.Context) {
	p.read = func(ctx app.Context) {
		p.run(ctx, func() (func(), error) {
			var list v1.Keys
			err := p.get("/v1/keys", &list)
			return func() { p.keys = list.Keys }, err
		})
	}
	p.begin(ctx, false)
}

func (p *keysScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	var made app.UI
	if p.made.Key != "" {
		made = elem("div").Class("made").Role("status").Body(
			elem("p").Text(p.tr(textMade)), elem("code").ID("made").Text(p.made.Key),
			p.copyButton(textCopy, p.made.Key))
	}
	var options []option
	for _, r := range roles {
		options = append(options, option{r.name, r.text})
	}
	list := p.nothing(textNoKeys, textNoKeysHint)
	if len(p.keys) > 0 {
		list = elem("ul").Class("list plainer").Body(app.Range(p.keys).Slice(func(i int) app.UI { return p.entry(p.keys[i]) }))
	}
	return p.frame(made, section(p.tr(textNewKey), elem("form").Class("filter").OnSubmit(p.create).Body(
		p.field("name", textKeyName, "text", p.name, func(v string) { p.name = v }, "maxlength", "60", "autocomplete", "off"),
		p.choice("role", textRole, p.role, options, func(_ app.Context, v string) { p.role = v }),
		p.choice("life", textExpiresIn, p.life, []option{{"", textForever}, {"30", textDays30}, {"365", textDays365}}, func(_ app.Context, v string) { p.life = v }),
		p.submit(textMake, p.name != ""))),
		list)
}

func (p *keysScreen) create(_ app.Context, e app.Event) {
	e.PreventDefault()
	i := slices.IndexFunc(roles, func(r role) bool { return r.name == p.role })
	if p.name == "" || i < 0 {
		return
	}
	req := v1.CreateKey{Name: p.name, Scopes: roles[i].scopes, ExpiresIn: map[string]int64{"30": 30 * 86400, "365": 365 * 86400}[p.life]}
	p.act(p.page, textMade, func(ctx context.Context) (func(), error) {
		var made v1.Key
		err := call(ctx, p.c.b, "POST", "/v1/keys", req, &made, "")
		return func() { p.made, p.name = made, "" }, err
	})
}

func (p *keysScreen) entry(k v1.Key) app.UI {
	state, kind := textValid, "good"
	switch {
	case k.RevokedAt > 0:
		state, kind = textRevoked, "off"
	case k.ExpiresAt > 0 && k.ExpiresAt <= time.Now().UnixMilli():
		state, kind = textExpired, "off"
	}
	var scopes []string
	for _, scope := range k.Scopes {
		scopes = append(scopes, string(scope))
	}
	used := p.tr(textNeverUsed)
	if k.LastUsedAt > 0 {
		used = p.tr(textLastUsed) + " " + beijingTime(k.LastUsedAt)
	}
	return elem("li").DataSet("key", k.ID).Body(
		elem("span").Class("what").Body(
			elem("strong").Text(k.Name), elem("code").Class("small").Text(k.ID),
			elem("span").Class("small").Text(strings.Join(scopes, ", ")),
			elem("span").Class("small").Text(used),
			app.If(k.ExpiresAt > 0, elem("span").Class("small").Text(p.tr(textUntil)+" "+beijingTime(k.ExpiresAt)))),
		elem("span").Class("much").Body(p.badge(state, kind, kind),
			app.If(k.RevokedAt == 0, p.mini(textRevoke, func(ctx app.Context) {
				p.confirm(ctx, confirmation{textRevokeTitle, k.Name + ": " + p.tr(textRevokeHint), textRevoke, func(ctx app.Context) {
					p.act(ctx, textRevoked, func(ctx context.Context) (func(), error) {
						return nil, call(ctx, p.c.b, "DELETE", "/v1/keys/"+url.PathEscape(k.ID), nil, nil, "")
					})
				}})
			}, k.ID))))
}
