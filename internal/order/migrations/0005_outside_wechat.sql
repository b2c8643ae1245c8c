-- A product may let the payer name the amount, within bounds in fen: both or
-- neither. Its price is what to suggest.
ALTER TABLE products ADD COLUMN min_price INTEGER CHECK (min_price > 0);
ALTER TABLE products ADD COLUMN max_price INTEGER
  CHECK ((min_price IS NULL) = (max_price IS NULL) AND (max_price IS NULL OR max_price >= min_price));

-- What unifiedorder is told of the shop beside its address: MWEB asks for it.
ALTER TABLE orders ADD COLUMN shop_name TEXT NOT NULL DEFAULT '';

-- Until when one request alone asks WeChat for a code_url or mweb_url of the
-- order. A second code_url voids the first, so two must not ask at once.
ALTER TABLE orders ADD COLUMN asking_until INTEGER;

-- Orders that were given up are asked about until WeChat has closed them.
DROP INDEX open_orders;
CREATE INDEX open_orders ON orders (COALESCE(queried_at, created_at)) WHERE status IN ('created', 'pending', 'closing');
