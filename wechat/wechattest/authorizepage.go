package wechattest

import (
	"html/template"
	"strings"
)

// pages are the three pages of open.weixin.qq.com, self-contained, with the proportions of WeUI.
// Each of them checks #wechat_redirect, which only the browser sees, and reports if it is missing.
const pages = `
{{define "head"}}<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>{{.}}</title><style>
:root{color-scheme:light dark;--bg:#ededed;--card:#fff;--fg:rgba(0,0,0,.9);--dim:rgba(0,0,0,.5);--line:rgba(0,0,0,.1);--weak:#f2f2f2;--brand:#07c160;--warn:#fa5151}
@media (prefers-color-scheme:dark){:root{--bg:#111;--card:#191919;--fg:rgba(255,255,255,.85);--dim:rgba(255,255,255,.5);--line:rgba(255,255,255,.08);--weak:#2c2c2c}}
*{box-sizing:border-box}[hidden]{display:none!important}
body{margin:0;min-height:100vh;display:flex;flex-direction:column;background:var(--card);color:var(--fg);font:17px/1.5 system-ui,-apple-system,"PingFang SC","Noto Sans CJK SC",sans-serif}
main{flex:1;display:flex;flex-direction:column;padding:56px 24px 40px}
.top{text-align:center;padding:24px 8px}h1{font-size:22px;font-weight:600;margin:16px 0 8px}p{margin:0 0 8px;color:var(--dim)}
.mark{width:64px;height:64px;margin:0 auto;border-radius:50%;background:var(--warn);color:#fff;font-size:40px;line-height:64px;font-weight:600}
.shop{display:flex;align-items:center;gap:10px;padding-bottom:20px;border-bottom:1px solid var(--line)}
.badge{width:28px;height:28px;border-radius:6px;background:var(--brand);color:#fff;font-size:15px;line-height:28px;text-align:center;flex:none}
h2{font-size:20px;font-weight:600;margin:24px 0 20px}
.who{display:flex;align-items:center;gap:12px;padding:14px 16px;border-radius:10px;background:var(--weak)}
.who img,.who i{width:44px;height:44px;border-radius:6px;flex:none;background:var(--line)}.who b{font-weight:500;overflow-wrap:anywhere}.who small{display:block;color:var(--dim);font-size:14px}
form{margin-top:auto;padding-top:48px;display:flex;gap:16px;justify-content:center}
button{min-width:120px;padding:10px 24px;border:0;border-radius:8px;font:inherit;font-weight:500;cursor:pointer}
.ok{background:var(--brand);color:#fff}.no{background:var(--weak);color:var(--brand)}
code{font-size:13px;overflow-wrap:anywhere}</style></head><body>{{end}}

{{define "missing"}}<main id="missing" hidden><div class="top"><div class="mark">!</div><h1>该链接无法访问</h1>
<p>链接缺少 #wechat_redirect</p><p><code>Simulator: the authorize link must end in #wechat_redirect, also as the Location of a 302.</code></p></div></main>{{end}}

{{define "error"}}{{template "head" "微信"}}<main><div class="top"><div class="mark">!</div><h1>{{.Text}}</h1>
{{if .Code}}<p>错误码:{{.Code}}</p>{{end}}<p><code>Simulator: {{.Hint}}</code></p></div></main></body></html>{{end}}

{{define "silent"}}{{template "head" "微信"}}{{template "missing"}}<script>
if(location.hash==="#wechat_redirect")location.replace({{.}});else document.getElementById("missing").hidden=false;
</script></body></html>{{end}}

{{define "consent"}}{{template "head" "微信授权"}}{{template "missing"}}<main id="consent"><div class="shop"><span class="badge">{{.Initial}}</span><span>{{.Shop}} 申请使用</span></div>
<h2>你的微信头像、昵称</h2>
<div class="who">{{if .Avatar}}<img alt="" src="{{.Avatar}}">{{else}}<i></i>{{end}}<span><b>{{.Nickname}}</b><small>微信个人信息</small></span></div>
<form method="post" action="{{.Action}}"><input type="hidden" name="id" value="{{.ID}}">
<button class="no" name="decision" value="decline">拒绝</button><button class="ok" name="decision" value="approve">允许</button></form></main><script>
if(location.hash!=="#wechat_redirect"){document.getElementById("missing").hidden=false;document.getElementById("consent").hidden=true}
else(async function wait(){try{const r=await fetch({{.Poll}},{cache:"no-store"});if(!r.ok)return;const a=await r.json();
if(a.state==="open")return wait();location.replace(a.location)}catch(e){}})();
</script></body></html>{{end}}`

// render executes one of the pages; they are constant, so they cannot fail but
// by a mistake that every test would meet.
func render(name string, data any) string {
	t := template.Must(template.Must(template.New("").Parse(pages)).Parse(mwebPages))
	var b strings.Builder
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		panic("wechattest: page " + name + ": " + err.Error())
	}
	return b.String()
}

// errorPage is what the person sees instead of a redirect.
func errorPage(e linkError) string {
	return render("error", struct {
		Code       int
		Text, Hint string
	}{e.code, e.text, e.hint})
}

// silentPage redirects to target at once.
func silentPage(target string) string { return render("silent", target) }

// consentPage shows the question to the person.
func consentPage(c Consent, avatarURL string) string {
	initial := []rune(c.Shop)
	return render("consent", struct{ Initial, Shop, Nickname, Avatar, Action, ID, Poll string }{
		string(initial[:1]), c.Shop, c.User.Nickname, avatarURL, pathConsent, c.ID, pathConsent + "?id=" + c.ID,
	})
}
