package main

import (
	"context"
	"net/url"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/fen"
	"h5pay/internal/v1"
)

var (
	textAsk        = text{"提交申请", "Ask"}
	textAskTitle   = text{"需要第二个人确认", "A second person has to confirm"}
	textAskHint    = text{"提交后由另一位有退款权限的同事确认", "Another operator who may refund confirms it"}
	textAsked      = text{"已提交，等待另一位同事确认", "Asked. Another operator has to confirm it"}
	textWaits      = text{"等待确认的退款", "Refund that waits for a second person"}
	textAskedBy    = text{"申请人", "Asked by"}
	textConfirm    = text{"确认退款", "Confirm the refund"}
	textConfirmed  = text{"退款已提交", "The refund is submitted"}
	textDecline    = text{"拒绝", "Decline"}
	textWithdraw   = text{"撤回", "Withdraw"}
	textDeclined   = text{"退款申请已结束", "The request is over"}
	textOwnRequest = text{"需由另一位同事确认", "Another operator has to confirm it"}
)

// needsSecond reports whether a refund of the order needs a second person. The signer
// decides; this saves the operator a rejected call.
func (p *orderScreen) needsSecond(amount fen.Fen) bool {
	limit := p.c.session.RefundConfirm
	return limit > 0 && p.order.Amount-p.left()+amount >= limit
}

// request shows a waiting refund request. The operator who made it can withdraw it, others
// can confirm it.
func (p *orderScreen) request(r v1.RefundRequest) app.UI {
	path := "/v1/refund-requests/" + url.PathEscape(r.ID)
	own := r.KeyID == p.c.session.KeyID
	var buttons []app.UI
	if p.may(v1.ScopeRefund) && !own {
		buttons = append(buttons, p.mini(textConfirm, func(ctx app.Context) {
			p.confirm(ctx, confirmation{textRefundTitle, "¥" + r.Amount.String() + " · " + p.order.Description, textConfirm, func(ctx app.Context) {
				p.act(ctx, textConfirmed, func(ctx context.Context) (func(), error) {
					return nil, call(ctx, p.c.b, "POST", path+"/confirm", nil, nil, "")
				})
			}})
		}, r.ID))
	}
	if p.may(v1.ScopeRefund) {
		buttons = append(buttons, p.mini(choose(own, textWithdraw, textDecline), func(ctx app.Context) {
			p.act(ctx, textDeclined, func(ctx context.Context) (func(), error) {
				return nil, call(ctx, p.c.b, "POST", path+"/decline", nil, nil, "")
			})
		}, r.ID))
	}
	return elem("div").Class("form").DataSet("request", r.ID).Body(
		elem("h3").Text(p.tr(textWaits)),
		elem("dl").Class("facts").Body(p.row(textAmount, p.money(r.Amount)), p.rowText(textReason, r.Reason),
			p.rowText(textAskedBy, r.KeyName), p.rowText(textTime, beijingTime(r.CreatedAt))),
		app.If(own, elem("p").Class("small").Text(p.tr(textOwnRequest))),
		elem("p").Class("actions").Body(buttons...))
}

// waitingRefunds lists the refunds that wait for a second person.
func (p *todayScreen) waitingRefunds() app.UI {
	if len(p.asked) == 0 {
		return nil
	}
	return section(p.tr(textWaits), elem("ul").Class("list").Body(app.Range(p.asked).Slice(func(i int) app.UI {
		r := p.asked[i]
		return elem("li").Body(elem("a").Attr("href", "/console/order?id="+url.QueryEscape(r.OrderID)).Body(
			elem("span").Text(joined(r.KeyName, r.Reason)), p.money(r.Amount)))
	})))
}
