package wechattest

// mwebPages is the page between a browser and WeChat. It shows the payment sheet too, because the
// simulator has no separate WeChat client for it.
const mwebPages = `{{define "mweb"}}{{template "head" "微信支付"}}<style>
.sheet{max-width:420px;width:100%;margin:0 auto;text-align:center}.amount{font-size:44px;font-weight:600;color:var(--fg);margin:8px 0 24px}
dl{margin:0;border-top:1px solid var(--line);text-align:left}dl div{display:flex;justify-content:space-between;gap:16px;padding:12px 0;border-bottom:1px solid var(--line)}
dt{color:var(--dim);flex:none}dd{margin:0;overflow-wrap:anywhere;text-align:right}.buttons{display:flex;gap:16px;justify-content:center;padding-top:32px}
</style><main><div class="sheet" id="sheet" data-id="{{.Sheet.ID}}" data-back="{{.Back}}" data-early="{{.Early}}">
<p>正在打开微信 <small>WeChat opens</small></p><h1>{{.Sheet.Shop}}</h1><p class="amount">¥{{.Amount}}</p>
<dl><div><dt>商品</dt><dd>{{.Sheet.Item}}</dd></div><div><dt>付款人</dt><dd>{{.Payer}}</dd></div></dl>
<p role="alert" id="error"></p>
<div class="buttons"><button class="no" id="cancel" type="button">取消</button><button class="ok" id="pay" type="button" autofocus>立即支付</button></div>
</div></main><script>
const sheet=document.getElementById("sheet"),url={{.Poll}}+"?id="+sheet.dataset.id,error=document.getElementById("error");
let gone=false;
function back(){if(gone)return;gone=true;if(sheet.dataset.back)location.replace(sheet.dataset.back);else history.back()}
function end(a){if(!a.err_desc)return back();error.textContent=a.err_desc;setTimeout(back,1500)}
async function call(method,word){const r=await fetch(url+(word?"&do="+word:""),{method,cache:"no-store"});const a=await r.json();if(!r.ok)throw new Error(a.error);return a}
for(const word of ["pay","cancel"])document.getElementById(word).addEventListener("click",async()=>{try{end(await call("POST",word))}catch(e){error.textContent=e.message}});
if(sheet.dataset.early==="true")back();
else(async function wait(){try{const a=await call("GET");if(a.state==="open")return wait();end(a)}catch(e){error.textContent=e.message}})();
</script></body></html>{{end}}`

// mwebPage draws it. back is redirect_url; without one the browser goes back.
func mwebPage(s Sheet, payer User, back string, early bool) string {
	return render("mweb", struct {
		Sheet                     Sheet
		Amount, Payer, Back, Poll string
		Early                     bool
	}{s, yuan(s.Amount), payer.Nickname, back, pathMWEBSheet, early})
}
