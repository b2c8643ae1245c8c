package openapi

import (
	"encoding/json"
	"reflect"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

// at is a moment of the examples, Unix ms.
const at = 1795399200000

// examples are a message of each type. They are Go values, so that a change of a type
// that they do not follow does not build.
func examples() map[reflect.Type]any {
	no, stock := false, int64(40)
	product := v1.Product{ID: "tea", Name: "高山乌龙茶", Detail: "50 克罐装", Image: "/web/products/tea.svg", Price: 6800, Position: 10, ForSale: true, Stock: &stock}
	key := v1.Key{ID: "k7q2m4x5c3v6b2n4", Name: "erp", Scopes: []v1.Scope{v1.ScopeRead, v1.ScopeWrite}, CreatedAt: at, LastUsedAt: at + 7200_000}
	event := v1.Event{ID: "evt_paid_0d4k2m9p1r7t3v5x8z6b1c2e", Type: api.EventOrderPaid, OrderID: "0d4k2m9p1r7t3v5x8z6b1c2e", CreatedAt: at,
		Shop: "https://shop.example.com", AppID: "wx0123456789abcdef", MchID: "1900000109",
		Data: json.RawMessage(`{"order":{"id":"0d4k2m9p1r7t3v5x8z6b1c2e","status":"paid","total":6800,"currency":"CNY"}}`), Status: api.EventDead, Attempts: 10, LastError: "HTTP 500"}
	link := v1.Link{ID: "7c1e9m2k4p6r8t0v3x5z7b9d", URL: "https://shop.example.com/l/7c1e9m2k4p6r8t0v3x5z7b9d1f", Title: "一号桌", Description: "扫码付款",
		MinAmount: 100, MaxAmount: 100000, Metadata: map[string]string{"table": "1"}, TradeTypes: []api.TradeType{api.TradeJSAPI, api.TradeNative},
		State: api.LinkOpen, MaxOrders: 500, Orders: 41, Paid: 40, PaidAmount: 272000, CreatedAt: at}
	endpoint := v1.Endpoint{ID: "ep_4k2m9p1r7t3v5x8z6b1c", URL: "https://crm.example.com/hook", Description: "CRM", Types: []api.EventType{api.EventOrderPaid},
		State: v1.EndpointEnabled, CreatedAt: at, Attempts: 41, LastSuccessAt: at + 7200_000}
	made := endpoint
	made.Secret, made.Attempts, made.LastSuccessAt = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", 0, 0
	refund := v1.Refund{ID: "202611239Q7K2M9P1R7T3V5X8Z6B1C2E", OrderID: event.OrderID, OutTradeNo: "202611225G7K2M9P1R7T3V5X8Z6B1C2E", Amount: 300,
		Reason: "少了一包", Status: api.RefundSucceeded, RefundID: "50300806752026112300000000000", CreatedAt: at + 7200_000, EndedAt: at + 7260_000}
	order := v1.Order{ID: event.OrderID, Reference: "A-1042", Source: v1.SourceAPI, Status: v1.OrderPaid, Amount: 6800, Refunded: 300, Currency: "CNY",
		Description: "小店 - 高山乌龙茶", Lines: []v1.Line{{ProductID: "tea", Name: "高山乌龙茶", Price: 6800, Quantity: 1}}, Metadata: map[string]string{"table": "7"},
		ReturnURL: "https://www.example.com/thanks", TradeTypes: []api.TradeType{api.TradeJSAPI, api.TradeNative},
		URL: "https://shop.example.com/o/0d4k2m9p1r7t3v5x8z6b1c2e4g", CreatedAt: at, ExpiresAt: at + 86400_000, PaidAt: at + 60_000}
	whole := order
	whole.Payments = []v1.Payment{{OutTradeNo: refund.OutTradeNo, TradeType: api.TradeJSAPI, APIVersion: "v3", AppID: "wx0123456789abcdef", MchID: "1900000109",
		Status: v1.PaymentPaid, TransactionID: "4200001234202611230123456789", Payer: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", CreatedAt: at, PaidAt: at + 60_000, Refunded: 300}}
	whole.Refunds = []v1.Refund{refund}
	whole.Steps = []v1.Step{{Status: v1.OrderOpen, At: at}, {Status: v1.OrderPaid, At: at + 60_500}}
	bill := v1.Bill{Date: "2026-11-22", Status: v1.BillDiffers, CheckedAt: at, Payments: 41, Refunds: 2, Differences: []v1.BillDifference{
		{Kind: v1.AmountDiffers, OutTradeNo: "202611225G7K2M9P1R7T3V5X8Z6B1C2E", Ours: "68.00", Theirs: "67.00"}},
		Trade: &v1.BillMoney{Income: 278_800, Refunded: 300, Fees: 1671, Settlement: 276_829}, FundsDifference: -6759,
		Funds: &v1.BillFunds{BillMoney: v1.BillMoney{Income: 272_000, Refunded: 300, Fees: 1630, Settlement: 270_070}, Other: -200_000, Balance: 1_070_070}}
	request := v1.RefundRequest{ID: "rr5d41402abc4b2a76b9719d", OrderID: event.OrderID, Amount: 300, Reason: "少了一包", KeyID: key.ID, KeyName: key.Name, CreatedAt: at, Status: v1.RequestWaiting}
	all := map[reflect.Type]any{}
	for _, example := range []any{
		v1.Error{Code: "bad_request", Message: "price: is required", Field: "price", RequestID: "ri47m258d14q8lg8"},
		v1.CreateKey{Name: "erp", Scopes: []v1.Scope{v1.ScopeRead, v1.ScopeWrite}},
		key,
		v1.Keys{Keys: []v1.Key{key}},
		v1.PutProduct{Name: "高山乌龙茶", Detail: "50 克罐装", Image: "/web/products/tea.svg", Price: 6800, ForSale: &no},
		product,
		v1.ChangeStock{Add: 12},
		v1.Products{Products: []v1.Product{product}},
		v1.CreateOrder{Amount: 6800, Lines: []v1.CreateLine{{ProductID: "tea", Quantity: 1}}, Reference: "A-1042", Metadata: map[string]string{"table": "7"},
			ReturnURL: "https://www.example.com/thanks", ExpiresIn: 86400},
		whole,
		v1.Orders{Orders: []v1.Order{order}, Next: "MTc5NTM5OTIwMDAwMCAwZDRr"},
		v1.CreateRefund{Amount: 300, Reason: "少了一包"},
		refund,
		v1.CreateLink{Title: "一号桌", Description: "扫码付款", MinAmount: 100, MaxAmount: 100000, MaxOrders: 500, Metadata: map[string]string{"table": "1"}},
		link,
		v1.Links{Links: []v1.Link{link}, Next: "MTc5NTM5OTIwMDAwMCAwZDRr"},
		v1.ChangeLink{Withdrawn: &no},
		event,
		v1.Events{Events: []v1.Event{event}, Next: "ZmFsc2UgNDE"},
		v1.ReplayEvents{From: at, To: at + 3600_000, Status: "dead"},
		v1.Replayed{Events: 41},
		v1.CreateEndpoint{URL: "https://crm.example.com/hook", Description: "CRM", Types: []api.EventType{api.EventOrderPaid}},
		made,
		v1.Endpoints{Endpoints: []v1.Endpoint{endpoint}},
		v1.ChangeEndpoint{Types: []api.EventType{api.EventOrderPaid, api.EventOrderRefunded}},
		v1.RotateSecret{},
		v1.EndpointTest{EventID: "evt_test_4k2m9p1r7t3v5x8z6b1c", OK: true, Status: 204, TookMS: 41},
		v1.Notifications{Notifications: []v1.Notification{{At: at, Kind: v1.NotifiedPayment, Version: "v3", Verdict: v1.NotificationAccepted, Reason: "OK",
			OutTradeNo: "202611225G7K2M9P1R7T3V5X8Z6B1C2E", RequestID: "ri47m258d14q8lg8"}}},
		bill,
		v1.Bills{Bills: []v1.Bill{bill}},
		v1.CloseOrders{ProductID: "tea"},
		v1.OrdersClosed{Orders: 12},
		v1.DeleteOrders{IDs: []string{event.OrderID}},
		v1.OrdersDeleted{Deleted: []string{event.OrderID}},
		v1.PersonQuery{OwnerOf: event.OrderID},
		v1.PersonExport{Orders: []v1.PersonOrder{{Order: whole, IsOwner: true, IsPayer: true}}},
		v1.ErasePerson{OwnerOf: event.OrderID},
		v1.PersonErased{Orders: 3},
		v1.Today{At: at, Hours: []v1.Takings{{At: at - 3600_000, Payments: 41, Paid: 278_800, Refunds: 1, Refunded: 300}},
			Waiting: v1.Waiting{OpenOrders: 3, OpenRefunds: 1, PendingEvents: 2}},
		v1.CreateRefundRequest{Amount: 300, Reason: "少了一包"},
		request,
		v1.RefundRequests{Requests: []v1.RefundRequest{request}},
		v1.CreatePhoto{Data: "/9j/4AAQSkZJRg=="},
		v1.Photo{Path: "/photos/0f343b0931126a20f133d67c2b018a3b"},
		v1.Table{Rows: "\ufeffdate,status\r\n2026-11-22,agrees\r\n", N: 1},
		v1.Audit{Entries: []v1.AuditEntry{{Seq: 41, At: at, KeyID: key.ID, KeyName: key.Name, Action: "putProduct", Object: "tea",
			Before: json.RawMessage(`{"price":6800}`), After: json.RawMessage(`{"price":6500}`), RequestID: "ri47m258d14q8lg8",
			Hash: "5d41402abc4b2a76b9719d911017c592ae2b1f0c3e4d5f60718293a4b5c6d7e8"}}, Next: "41"},
		v1.AuditCheck{OK: true, Entries: 41, Hash: "5d41402abc4b2a76b9719d911017c592ae2b1f0c3e4d5f60718293a4b5c6d7e8"},
		v1.Selling{SwitchedAt: at},
		v1.PutSelling{Selling: &no},
		v1.Counters{Counters: map[string]int64{"settled.notify": 4021, "deliveries.dead": 1}},
		v1.Checks{CheckedAt: at, TookMS: 14, Checks: []v1.CheckResult{{ID: "database", Status: v1.CheckOK},
			{ID: "cron", Status: v1.CheckFail, Cause: "timer_stopped", Detail: "the timer last completed 6m0s ago"}}},
	} {
		all[reflect.TypeOf(example)] = example
	}
	return all
}
