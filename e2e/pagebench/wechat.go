package main

import (
	"net"
	"net/http"

	"h5pay/wechat/wechattest"
)

// startWeChat starts the simulated WeChat for the sign-in of a shop, on a link of its own. Its
// authorize page redirects back at once.
func startWeChat(shop string) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return "", nil, err
	}
	address = "http://" + l.Addr().String()
	w, err := wechattest.New(wechattest.Config{ShopURL: shop, WeChatURL: address})
	if err != nil {
		l.Close()
		return "", nil, err
	}
	there := w.Handler()
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		delayed(rw, r)
		there.ServeHTTP(rw, r)
	})}
	go server.Serve(&slowListener{l, new(link)}) // ends with Close
	return address, func() { server.Close(); w.Close() }, nil
}

// slowListener puts its connections on a link.
type slowListener struct {
	net.Listener
	link *link
}

func (l *slowListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &slowConn{Conn: c, link: l.link}, nil
}
