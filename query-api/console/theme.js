// Sets the theme before anything is painted, hence no module. Without a choice the system decides.

(() => {
  const KEY = 'freshet-theme';
  const ORDER = ['system', 'light', 'dark'];
  const root = document.documentElement;

  // A browser may forbid storage; the switch then lasts as long as the page.
  const read = () => {
    try {
      return localStorage.getItem(KEY) ?? 'system';
    } catch {
      return 'system';
    }
  };
  const write = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      return;
    }
  };
  let theme = ORDER.includes(read()) ? read() : 'system';

  const show = () => {
    if (theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = theme;
    const button = document.getElementById('theme');
    if (button) button.textContent = `Theme: ${theme}`;
  };
  show();
  addEventListener('DOMContentLoaded', () => {
    show();
    document.getElementById('theme')?.addEventListener('click', () => {
      theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
      write(theme);
      show();
    });
  });
})();
