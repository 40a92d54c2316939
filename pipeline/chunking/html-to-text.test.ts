import { describe, expect, it } from 'vitest';
import { htmlToText } from './html-to-text.ts';

describe('htmlToText', () => {
  it('keeps headings, paragraphs, lists, tables, code and alternative texts', () => {
    const html = `<html><head><title>t</title></head><body>
      <nav><a href="/">Home</a></nav>
      <h1>Guide &amp; more</h1>
      <p>First <b>bold</b>,<br>then   <a href="x">a link</a>.</p>
      <ul><li>one</li><li>two<ol><li>inner</li></ol></li></ul>
      <pre><code>if (a &lt; b) {
  go();
}</code></pre>
      <table><tr><th>name</th><th>price</th></tr><tr><td>a|b</td><td>1</td></tr></table>
      <p><img src="x.png" alt="A chart"></p>
      <script>var secret = 1;</script><style>p {}</style>
    </body></html>`;
    expect(htmlToText(html)).toBe(
      [
        '# Guide & more',
        'First bold, then a link.',
        '- one\n- two\n  1. inner',
        '```\nif (a < b) {\n  go();\n}\n```',
        '| name | price |\n| --- | --- |\n| a\\|b | 1 |',
        'A chart',
      ].join('\n\n'),
    );
  });

  it("never lets a page's text become a heading or a list", () => {
    expect(htmlToText('<p># not a heading</p><p>- not a list</p>')).toBe('\\# not a heading\n\n\\- not a list');
  });

  it('reads broken markup to its end', () => {
    expect(htmlToText('<p>a<div>b<p>c</span></div')).toBe('a\n\nb\n\nc');
  });

  it('keeps the text after an unclosed element that is dropped, where browsers would', () => {
    expect(htmlToText('<nav>menu</nav><p>text</p>')).toBe('text');
    expect(htmlToText('<p>before</p><script>x')).toBe('before');
  });

  it('puts a fence around code that no line of it can close', () => {
    expect(htmlToText('<pre>```\nx</pre>')).toBe('````\n```\nx\n````');
  });

  it('reads a text without markup as it is', () => {
    expect(htmlToText('only text')).toBe('only text');
    expect(htmlToText('')).toBe('');
  });

  it('reads on behind a place that is nested too deep', () => {
    const text = htmlToText(
      `${'<div><ul><li>'.repeat(2_000)}deep</li></ul></div><nav>${'<b>'.repeat(600)}</nav><h1>After</h1><p>end`,
    );
    expect(text).toContain('deep');
    expect(text).toMatch(/# After\n\nend$/);
  });

  it('reads 150,000 nested tables before this test times out: each tag used to cost time in proportion to the open ones', () => {
    expect(htmlToText(`${'<table><tr><td>'.repeat(150_000)}deep`)).toContain('deep');
    expect(htmlToText('<svg>'.repeat(300_000))).toBe('');
  });
});
