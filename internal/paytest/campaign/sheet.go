package campaign

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

// open opens the payment sheet with the n-th payment parameters of the page, with -1 with the newest.
func (p *checkout) open(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	trade := p.tradeTypes[p.place]
	all := p.pay[trade]
	if len(all) == 0 {
		return
	}
	pay := all[len(all)-1]
	if n >= 0 {
		pay = all[n%len(all)]
	}
	phone := p.payer
	if trade == api.TradeJSAPI {
		phone = p.user
	}
	defer p.takePhone(phone)()
	var sheet wechattest.Sheet
	var err error
	switch trade {
	case api.TradeJSAPI:
		sheet, err = paytest.OpenSheet(p.WeChat, p.Shop, pay.Pay)
	case api.TradeNative:
		sheet, err = p.WeChat.Scan(pay.CodeURL)
	case api.TradeMWEB:
		sheet, err = p.browse(pay.MWebURL)
	}
	switch {
	case err == nil:
		if p.sheets == nil {
			p.sheets = map[api.TradeType]string{}
		}
		p.sheets[trade] = sheet.ID
	case strings.Contains(err.Error(), "支付验证签名失败") && p.Keys.revokedAfter(pay.at): // a key signed them that is revoked now
	case !isLate(err):
		p.Note(Wrong, "", "WeChat opened no payment sheet for order %s: %v", p.id, err)
	}
}

var sheetID = regexp.MustCompile(`data-id="(\w+)"`)

// browse opens mweb_url from the shop's page in a browser. The caller has the phone.
func (p *checkout) browse(link string) (wechattest.Sheet, error) {
	was := p.WeChat.Place().Environment
	if err := p.WeChat.SetEnvironment(wechattest.Chrome); err != nil {
		return wechattest.Sheet{}, err
	}
	defer p.WeChat.SetEnvironment(was)
	req := mustRequest(link)
	req.Header.Set("Referer", p.Shop+"/pay")
	res, err := p.client.Transport.RoundTrip(req)
	if err != nil {
		return wechattest.Sheet{}, err
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		return wechattest.Sheet{}, err
	}
	m := sheetID.FindSubmatch(page)
	if res.StatusCode != http.StatusOK || m == nil {
		return wechattest.Sheet{}, fmt.Errorf("status %d: %s", res.StatusCode, page)
	}
	return p.WeChat.Sheet(string(m[1]))
}

// isLate reports whether WeChat declines because the page is late: the order is paid, closed or
// expired, or its parameters are.
func isLate(declined error) bool {
	for _, words := range []string{"已支付", "已关闭", "最晚支付成功时间", "缺少参数: total_fee", "二维码已过期", "支付请求已失效"} {
		if strings.Contains(declined.Error(), words) {
			return true
		}
	}
	return false
}
