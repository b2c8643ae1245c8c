-- Finds the orders that WeChat is to be asked about.
CREATE INDEX open_orders ON orders (COALESCE(queried_at, created_at)) WHERE status IN ('created', 'pending');
