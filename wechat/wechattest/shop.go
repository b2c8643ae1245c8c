package wechattest

import "fmt"

// Config returns the settings with the defaults filled in.
func (w *WeChat) Config() Config {
	w.mu.Lock()
	defer w.mu.Unlock()
	cfg := w.cfg
	cfg.ShopURL = w.shopURL
	return cfg
}

// SetShop sets where the shop listens: an origin such as
// http://localhost:8787.
func (w *WeChat) SetShop(origin string) error {
	if err := checkOrigin(origin); err != nil {
		return fmt.Errorf("setting the shop: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shopURL = origin
	return nil
}

// ShopURL is the origin where the shop listens, "" when unknown.
func (w *WeChat) ShopURL() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shopURL
}
