package v1

import "h5pay/internal/api"

// Route is one call.
type Route struct {
	Method   string
	Path     string // as net/http's patterns: "/v1/orders/{id}"
	Name     string // unique, for clients: "createOrder"
	Summary  string
	Scope    Scope
	Query    any // nil, or a struct with query tags
	Body     any // nil, or the request
	Status   int // of a success
	Response any // nil: no body
	// Media is the media type of the response, if it is not JSON.
	Media string
	// Creates means that the call needs an Idempotency-Key.
	Creates bool
	MaxBody int        // bytes of the body; 64 KiB when 0
	Errors  []api.Code // of its own: see Codes
}

// Routes are all calls.
var Routes = []Route{
	{Method: "POST", Path: "/v1/orders", Name: "createOrder", Summary: "Make an order", Scope: ScopeWrite,
		Body: CreateOrder{}, Status: 201, Response: Order{}, Creates: true, Errors: []api.Code{CodeReferenceUsed, api.CodeProductGone, api.CodeOutOfStock, api.CodeNotSelling, api.CodeShopFull, api.CodeBusy}},
	{Method: "GET", Path: "/v1/orders", Name: "listOrders", Summary: "List orders, newest first", Scope: ScopeRead,
		Query: OrderQuery{}, Status: 200, Response: Orders{}},
	{Method: "GET", Path: "/v1/orders/{id}", Name: "getOrder", Summary: "One order with payments, refunds and steps", Scope: ScopeRead,
		Query: GetOrder{}, Status: 200, Response: Order{}},
	{Method: "POST", Path: "/v1/orders/{id}/close", Name: "closeOrder", Summary: "Cancel an order that is not paid", Scope: ScopeWrite,
		Status: 200, Response: Order{}, Errors: []api.Code{api.CodeOrderPaid}},
	{Method: "POST", Path: "/v1/orders/{id}/refunds", Name: "createRefund", Summary: "Refund all or a part of an order", Scope: ScopeRefund,
		Body: CreateRefund{}, Status: 201, Response: Refund{}, Creates: true, Errors: []api.Code{api.CodeOrderNotPaid, api.CodeRefundTooMuch, api.CodeWeChatDeclined, api.CodeWeChatBusy, CodeSecondPerson}},
	{Method: "POST", Path: "/v1/orders/{id}/refund-requests", Name: "createRefundRequest", Summary: "Request a refund that a second person must confirm", Scope: ScopeRefund,
		Body: CreateRefundRequest{}, Status: 201, Response: RefundRequest{}, Creates: true, Errors: []api.Code{CodeFull, api.CodeOrderNotPaid, api.CodeRefundTooMuch, api.CodeWeChatDeclined}},
	{Method: "GET", Path: "/v1/refund-requests", Name: "listRefundRequests", Summary: "The refunds that wait for a second person", Scope: ScopeRead, Status: 200, Response: RefundRequests{}},
	{Method: "POST", Path: "/v1/refund-requests/{id}/confirm", Name: "confirmRefund", Summary: "Confirm a refund that another person requested", Scope: ScopeRefund,
		Status: 200, Response: Refund{}, Errors: []api.Code{CodeSecondPerson, api.CodeConflict, api.CodeRefundTooMuch, api.CodeWeChatDeclined, api.CodeWeChatBusy}},
	{Method: "POST", Path: "/v1/refund-requests/{id}/decline", Name: "declineRefund", Summary: "Decline a refund that waits for a second person", Scope: ScopeRefund,
		Status: 200, Response: RefundRequest{}, Errors: []api.Code{api.CodeConflict}},
	{Method: "GET", Path: "/v1/refunds/{id}", Name: "getRefund", Summary: "One refund", Scope: ScopeRead, Status: 200, Response: Refund{}},
	{Method: "POST", Path: "/v1/keys", Name: "createKey", Summary: "Make an API key", Scope: ScopeAdmin,
		Body: CreateKey{}, Status: 201, Response: Key{}, Creates: true, Errors: []api.Code{CodeFull}},
	{Method: "GET", Path: "/v1/keys", Name: "listKeys", Summary: "List API keys", Scope: ScopeAdmin, Status: 200, Response: Keys{}},
	{Method: "DELETE", Path: "/v1/keys/{id}", Name: "revokeKey", Summary: "Revoke an API key", Scope: ScopeAdmin, Status: 200, Response: Key{}},
	{Method: "GET", Path: "/v1/products", Name: "listProducts", Summary: "List the catalogue", Scope: ScopeRead, Status: 200, Response: Products{}},
	{Method: "GET", Path: "/v1/products/{id}", Name: "getProduct", Summary: "One product", Scope: ScopeRead, Status: 200, Response: Product{}},
	{Method: "PUT", Path: "/v1/products/{id}", Name: "putProduct", Summary: "Store a product under an ID of 1 to 64 letters, digits, '-' or '_'", Scope: ScopeWrite,
		Body: PutProduct{}, Status: 200, Response: Product{}, Errors: []api.Code{CodeFull}},
	{Method: "DELETE", Path: "/v1/products/{id}", Name: "deleteProduct", Summary: "Remove a product; orders keep their lines", Scope: ScopeWrite,
		Status: 200, Response: Product{}},
	{Method: "POST", Path: "/v1/products/{id}/stock", Name: "changeStock", Summary: "Set the stock of a product, or add pieces; a key is remembered for a day", Scope: ScopeWrite,
		Body: ChangeStock{}, Status: 200, Response: Product{}, Creates: true, Errors: []api.Code{CodeNoStock}},
	{Method: "POST", Path: "/v1/links", Name: "createLink", Summary: "Make a payment link", Scope: ScopeWrite,
		Body: CreateLink{}, Status: 201, Response: Link{}, Creates: true, Errors: []api.Code{api.CodeShopFull}},
	{Method: "GET", Path: "/v1/links", Name: "listLinks", Summary: "List payment links, newest first", Scope: ScopeRead,
		Query: LinkQuery{}, Status: 200, Response: Links{}},
	{Method: "GET", Path: "/v1/links/{id}", Name: "getLink", Summary: "One payment link", Scope: ScopeRead, Status: 200, Response: Link{}},
	{Method: "PATCH", Path: "/v1/links/{id}", Name: "changeLink", Summary: "Change a payment link, withdraw it or open it again", Scope: ScopeWrite,
		Body: ChangeLink{}, Status: 200, Response: Link{}},
	{Method: "GET", Path: "/v1/links/{id}/poster.svg", Name: "getPoster", Summary: "A poster to print, with the shop's name, the title and the QR code", Scope: ScopeRead,
		Status: 200, Media: "image/svg+xml"},
	{Method: "GET", Path: "/v1/events", Name: "listEvents", Summary: "List events; with order=oldest a receiver can catch up", Scope: ScopeRead,
		Query: EventQuery{}, Status: 200, Response: Events{}},
	{Method: "GET", Path: "/v1/events/{id}", Name: "getEvent", Summary: "One event", Scope: ScopeRead, Status: 200, Response: Event{}},
	{Method: "POST", Path: "/v1/events/{id}/replay", Name: "replayEvent", Summary: "Deliver an event again, to one endpoint or to all that take it", Scope: ScopeWrite,
		Query: ReplayEvent{}, Status: 200, Response: Event{}, Errors: []api.Code{CodeNoEndpoint}},
	{Method: "POST", Path: "/v1/events/replay", Name: "replayEvents", Summary: "Deliver the events of an interval again", Scope: ScopeWrite,
		Body: ReplayEvents{}, Status: 200, Response: Replayed{}},
	{Method: "POST", Path: "/v1/endpoints", Name: "createEndpoint", Summary: "Make an endpoint for events, one of five at most", Scope: ScopeAdmin,
		Body: CreateEndpoint{}, Status: 201, Response: Endpoint{}, Creates: true, Errors: []api.Code{CodeFull}},
	{Method: "GET", Path: "/v1/endpoints", Name: "listEndpoints", Summary: "List the endpoints, with their last success and failure", Scope: ScopeAdmin,
		Status: 200, Response: Endpoints{}},
	{Method: "GET", Path: "/v1/endpoints/{id}", Name: "getEndpoint", Summary: "One endpoint", Scope: ScopeAdmin, Status: 200, Response: Endpoint{}},
	{Method: "PATCH", Path: "/v1/endpoints/{id}", Name: "changeEndpoint", Summary: "Change an endpoint, stop it or resume it", Scope: ScopeAdmin,
		Body: ChangeEndpoint{}, Status: 200, Response: Endpoint{}, Errors: []api.Code{CodeOfSettings}},
	{Method: "DELETE", Path: "/v1/endpoints/{id}", Name: "deleteEndpoint", Summary: "Delete an endpoint and its deliveries", Scope: ScopeAdmin,
		Status: 200, Response: Endpoint{}, Errors: []api.Code{CodeOfSettings}},
	{Method: "POST", Path: "/v1/endpoints/{id}/secret", Name: "rotateSecret", Summary: "Change the secret of an endpoint; the previous one also signs for a time", Scope: ScopeAdmin,
		Body: RotateSecret{}, Status: 201, Response: Endpoint{}, Creates: true, Errors: []api.Code{CodeOfSettings, api.CodeConflict}},
	{Method: "POST", Path: "/v1/endpoints/{id}/test", Name: "testEndpoint", Summary: "Send a test event to an endpoint, and wait for its response", Scope: ScopeAdmin,
		Status: 200, Response: EndpointTest{}},
	{Method: "GET", Path: "/v1/notifications", Name: "listNotifications", Summary: "The last messages at the notify URLs, and the verdict on each", Scope: ScopeRead,
		Query: NotificationQuery{}, Status: 200, Response: Notifications{}},
	{Method: "GET", Path: "/v1/bills", Name: "listBills", Summary: "The last days whose bill was compared", Scope: ScopeRead, Status: 200, Response: Bills{}},
	{Method: "GET", Path: "/v1/bills/{date}", Name: "getBill", Summary: "One day with all its differences", Scope: ScopeRead, Status: 200, Response: Bill{}},
	{Method: "POST", Path: "/v1/bills/{date}/check", Name: "checkBill", Summary: "Compare the bill of a day now", Scope: ScopeWrite,
		Status: 200, Response: Bill{}, Errors: []api.Code{api.CodeConflict}},
	{Method: "POST", Path: "/v1/bills/{date}/stop", Name: "stopBill", Summary: "Stop the comparison of a day that is under way; an earlier result stays", Scope: ScopeWrite,
		Status: 200, Response: Bill{}},
	{Method: "POST", Path: "/v1/orders/close", Name: "closeOrders", Summary: "Cancel the open orders of a product, or the orders made before a time", Scope: ScopeWrite,
		Body: CloseOrders{}, Status: 200, Response: OrdersClosed{}},
	{Method: "POST", Path: "/v1/orders/delete", Name: "deleteOrders", Summary: "Delete orders of more than a year ago, with payments, refunds and events", Scope: ScopeAdmin,
		Body: DeleteOrders{}, Status: 200, Response: OrdersDeleted{}},
	{Method: "POST", Path: "/v1/persons/export", Name: "exportPerson", Summary: "The data that is stored about a person", Scope: ScopeAdmin,
		Body: PersonQuery{}, Status: 200, Response: PersonExport{}, Errors: []api.Code{api.CodeNotFound}},
	{Method: "POST", Path: "/v1/persons/erase", Name: "erasePerson", Summary: "Erase a person from their orders", Scope: ScopeAdmin,
		Body: ErasePerson{}, Status: 200, Response: PersonErased{}, Errors: []api.Code{api.CodeNotFound}},
	{Method: "GET", Path: "/v1/selling", Name: "getSelling", Summary: "Whether the shop sells", Scope: ScopeRead, Status: 200, Response: Selling{}},
	{Method: "PUT", Path: "/v1/selling", Name: "putSelling", Summary: "Stop selling, or resume it", Scope: ScopeWrite,
		Body: PutSelling{}, Status: 200, Response: Selling{}},
	{Method: "GET", Path: "/v1/today", Name: "getToday", Summary: "The takings of the last 31 days, and the work that has not ended", Scope: ScopeRead,
		Status: 200, Response: Today{}},
	{Method: "POST", Path: "/v1/photos", Name: "createPhoto", Summary: "Store a picture for a product", Scope: ScopeWrite,
		Body: CreatePhoto{}, MaxBody: 300_000, Status: 201, Response: Photo{}},
	{Method: "GET", Path: "/v1/tables/orders", Name: "tableOrders", Summary: "Orders as a table for Excel or WPS, newest first", Scope: ScopeRead,
		Query: TableQuery{}, Status: 200, Response: Table{}},
	{Method: "GET", Path: "/v1/tables/refunds", Name: "tableRefunds", Summary: "Refunds as a table for Excel or WPS, oldest first", Scope: ScopeRead,
		Query: TableQuery{}, Status: 200, Response: Table{}},
	{Method: "GET", Path: "/v1/tables/bills", Name: "tableBills", Summary: "The compared days with their differences, as a table for Excel or WPS, newest first", Scope: ScopeRead,
		Query: TableQuery{}, Status: 200, Response: Table{}},
	{Method: "GET", Path: "/v1/tables/settlements", Name: "tableSettlements", Summary: "Fees and settlement of each compared day, as a table for Excel or WPS, oldest first", Scope: ScopeRead,
		Query: TableQuery{}, Status: 200, Response: Table{}},
	{Method: "GET", Path: "/v1/audit", Name: "listAudit", Summary: "The audit list: who changed what, newest first", Scope: ScopeAdmin,
		Query: AuditQuery{}, Status: 200, Response: Audit{}},
	{Method: "GET", Path: "/v1/audit/check", Name: "checkAudit", Summary: "Check the hashes of a part of the audit list", Scope: ScopeAdmin,
		Query: AuditCheckQuery{}, Status: 200, Response: AuditCheck{}},
	{Method: "GET", Path: "/v1/counters", Name: "getCounters", Summary: "Counters of orders, payments, refunds, events and rejections", Scope: ScopeRead, Status: 200, Response: Counters{}},
	{Method: "GET", Path: "/v1/checks", Name: "listChecks", Summary: "The faults of the shop, and how to repair them", Scope: ScopeRead,
		Query: CheckQuery{}, Status: 200, Response: Checks{}},
}
