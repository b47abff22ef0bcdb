/** Styles are bundled into panel.css; importing them has no value. */
declare module '*.css';
