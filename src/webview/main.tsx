import { render } from 'preact';

render(<p>RaVL</p>, document.body);
