package wechattest

// The faults of what is in front of a shop: a content network, a firewall or a proxy. Each affects one
// message of WeChat's on its way to the shop, or a test message that looks like one. See Edge.
const (
	FaultEdgeChallenge   = "edge_challenge"
	FaultEdgeRedirect    = "edge_redirect"
	FaultEdgeLogin       = "edge_login"
	FaultEdgeNotFound    = "edge_not_found"
	FaultEdgeMethod      = "edge_method"
	FaultEdgeError       = "edge_error"
	FaultEdgeTimeout     = "edge_timeout"
	FaultEdgeSlow        = "edge_slow"
	FaultEdgeOtherSite   = "edge_other_site"
	FaultEdgeCached      = "edge_cached"
	FaultEdgeBodyChanged = "edge_body_changed"
	FaultEdgeHeadersLost = "edge_headers_lost"
)

// edgeFaultKinds describes them.
func edgeFaultKinds() []FaultKind {
	return []FaultKind{
		{Kind: FaultEdgeChallenge, Text: "in front of the shop: a message of WeChat's is answered with a bot challenge"},
		{Kind: FaultEdgeRedirect, Text: "in front of the shop: a message of WeChat's is redirected"},
		{Kind: FaultEdgeLogin, Text: "in front of the shop: a message of WeChat's is answered 403"},
		{Kind: FaultEdgeNotFound, Text: "in front of the shop: a message of WeChat's is answered 404"},
		{Kind: FaultEdgeMethod, Text: "in front of the shop: a message of WeChat's is answered 405, as by a server of static files"},
		{Kind: FaultEdgeError, Text: "in front of the shop: a message of WeChat's is answered 502"},
		{Kind: FaultEdgeTimeout, Text: "in front of the shop: a message of WeChat's is never answered"},
		{Kind: FaultEdgeSlow, Text: "in front of the shop: a message of WeChat's is answered after 3.2 s"},
		{Kind: FaultEdgeOtherSite, Text: "in front of the shop: a message of WeChat's is answered by another site, 200 with a page"},
		{Kind: FaultEdgeCached, Text: "in front of the shop: a message of WeChat's gets the answer that the one before got, from a cache"},
		{Kind: FaultEdgeBodyChanged, Text: "in front of the shop: the body of a message of WeChat's is encoded anew"},
		{Kind: FaultEdgeHeadersLost, Text: "in front of the shop: a message of WeChat's loses its headers Wechatpay-*"},
	}
}
