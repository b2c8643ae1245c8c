-- The demo catalogue for local runs. Running it again brings it back to this
-- state and touches nothing else.
INSERT INTO products (id, name, detail, image, price, min_price, max_price, position, for_sale) VALUES
  ('tea',    '高山乌龙茶', '海拔 1200 米 · 春茶 · 50 克罐装',     '/web/products/tea.svg',    6800, NULL, NULL, 10, 1),
  ('coffee', '手冲咖啡',   '云南保山 · 中浅烘 · 柑橘与红糖香',    '/web/products/coffee.svg', 2600, NULL, NULL, 20, 1),
  ('cake',   '桂花栗子蛋糕', '当日现做 · 四寸 · 少糖',            '/web/products/cake.svg',   4880, NULL, NULL, 30, 1),
  ('bun',    '黑糖小餐包', '汤种面团 · 六个装',                   '/web/products/bun.svg',    1590, NULL, NULL, 40, 1),
  ('juice',  '鲜榨橙汁',   '三颗橙子一杯 · 不加糖不加水',         '/web/products/juice.svg',  1880, NULL, NULL, 50, 1),
  ('tip',    '随心付',     '付多少由你定，比如补差价',             '/web/products/tip.svg',    2000,    1, 500000, 60, 1),
  ('test',   '一分钱测试', '只为走通支付流程，不发货',            '/web/products/test.svg',      1, NULL, NULL, 90, 1)
ON CONFLICT (id) DO UPDATE SET
  name = excluded.name, detail = excluded.detail, image = excluded.image,
  price = excluded.price, min_price = excluded.min_price, max_price = excluded.max_price, position = excluded.position, for_sale = excluded.for_sale;
