-- The source of the example. Runs once, on an empty volume; the role `freshet` is made by the image and owns all of it.
create table public.articles (
  id bigint generated always as identity primary key,
  tenant_id text not null default 'acme',
  title text not null,
  body text not null,
  groups text[] not null default '{everyone}',
  category text,
  updated_at timestamptz not null default now()
);

insert into public.articles (title, body, category) values
  ('Reset a password', 'Open the account page, choose "Reset password" and follow the link in the mail.', 'account'),
  ('Export invoices', 'Invoices of the last seven years can be exported as CSV from the billing page.', 'billing');
