/**
 * The controls of all panels. This is the one module that knows @vscode/webview-ui-toolkit; another toolkit (the elements of
 * `@vscode-elements/elements` bear the same names) is put in its place here.
 */
import {
  provideVSCodeDesignSystem,
  vsCodeBadge,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodePanels,
  vsCodePanelTab,
  vsCodePanelView,
  vsCodeRadio,
  vsCodeRadioGroup,
  vsCodeTag,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';
import { h, type ComponentChildren, type VNode } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

provideVSCodeDesignSystem().register(
  vsCodeBadge(),
  vsCodeButton(),
  vsCodeCheckbox(),
  vsCodeDropdown(),
  vsCodeOption(),
  vsCodePanels(),
  vsCodePanelTab(),
  vsCodePanelView(),
  vsCodeRadio(),
  vsCodeRadioGroup(),
  vsCodeTag(),
  vsCodeTextField(),
);

type Common = { readonly class?: string; readonly title?: string; readonly id?: string; readonly disabled?: boolean };
export interface Choice {
  readonly value: string;
  readonly text: string;
}

export interface ButtonProps extends Common {
  /** `icon` shows its codicon alone and needs `label`. */
  readonly look?: 'primary' | 'secondary' | 'icon';
  /** A codicon without its `codicon-`. */
  readonly icon?: string;
  readonly label?: string;
  readonly pressed?: boolean;
  readonly onClick: () => void;
  readonly children?: ComponentChildren;
}

export function Button({ look = 'secondary', icon, label, pressed, onClick, children, ...common }: ButtonProps) {
  // The toolkit hears of the attribute but does not hand it on to the button inside, which is what a screen reader reads.
  const press = (own: HTMLElement) => pressed !== undefined && setProperty(own, 'ariaPressed', String(pressed));
  const element = useElement({ 'aria-label': label ?? null }, press, [pressed]);
  const glyph = icon && h('span', { class: `codicon codicon-${icon}`, slot: look === 'icon' ? undefined : 'start', 'aria-hidden': 'true' } as object);
  return tag('vscode-button', { ...common, title: common.title ?? (look === 'icon' ? label : undefined), ref: element, appearance: look, onClick }, glyph, children);
}

export interface SelectProps extends Common {
  readonly label: string;
  readonly value: string;
  readonly choices: readonly Choice[];
  readonly onChange: (value: string) => void;
}

/** A dropdown: one of some. */
export function Select({ label, value, choices, onChange, ...common }: SelectProps) {
  const element = useElement({ 'aria-label': label }, (own) => setProperty(own, 'value', value), [value, choices]);
  // The toolkit tells of a change before anybody chose, when its options arrive.
  const change = (event: Event) => {
    const chosen = (event.target as HTMLInputElement).value;
    if (chosen !== value && choices.some((choice) => choice.value === chosen)) onChange(chosen);
  };
  const options = choices.map((choice) => tag('vscode-option', { key: choice.value, value: choice.value }, choice.text));
  return tag('vscode-dropdown', { ...common, ref: element, onChange: change }, options);
}

export interface TextFieldProps extends Common {
  readonly label: string;
  readonly value: string;
  readonly placeholder?: string;
  readonly icon?: string;
  readonly maxLength?: number;
  readonly onInput: (value: string) => void;
  /** After Enter, or when the field is left with another text. */
  readonly onCommit?: (value: string) => void;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
}

export function TextField({ label, value, placeholder, icon, maxLength = 1000, onInput, onCommit, onKeyDown, ...common }: TextFieldProps) {
  const element = useElement({ 'aria-label': label }, (own) => setProperty(own, 'value', value), [value]);
  const glyph = icon && h('span', { class: `codicon codicon-${icon}`, slot: 'start', 'aria-hidden': 'true' } as object);
  const text = (event: Event) => (event.target as HTMLInputElement).value;
  const handlers = { onInput: (event: Event) => onInput(text(event)), onChange: (event: Event) => onCommit?.(text(event)), onKeyDown };
  return tag('vscode-text-field', { ...common, ref: element, placeholder, maxlength: maxLength, ...handlers }, glyph);
}

export interface CheckboxProps extends Common {
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly children: ComponentChildren;
}

export function Checkbox({ checked, onChange, children, ...common }: CheckboxProps) {
  const element = useElement({}, (own) => setProperty(own, 'checked', checked), [checked]);
  const change = (event: Event) => {
    const now = (event.target as HTMLInputElement).checked;
    if (now !== checked) onChange(now);
  };
  return tag('vscode-checkbox', { ...common, ref: element, onChange: change }, children);
}

/** Some choices in a row, one of them chosen; arrows go from one to the next. */
export function Choices({ label, value, choices, onChange, ...common }: SelectProps) {
  const element = useElement({ 'aria-label': label }, (own) => setProperty(own, 'value', value), [value]);
  const change = (event: Event) => {
    const chosen = (event.target as HTMLInputElement).value;
    if (chosen !== value && choices.some((choice) => choice.value === chosen)) onChange(chosen);
  };
  const radios = choices.map((choice) => tag('vscode-radio', { key: choice.value, value: choice.value }, choice.text));
  return tag('vscode-radio-group', { ...common, ref: element, onChange: change }, radios);
}

export interface TabsProps {
  readonly label: string;
  readonly value: string;
  readonly tabs: readonly Choice[];
  readonly onChange: (value: string) => void;
  /** What the open tab shows. */
  readonly children: ComponentChildren;
}

export function Tabs({ label, value, tabs, onChange, children }: TabsProps) {
  const prefix = useId();
  const element = useElement({ 'aria-label': label }, (own) => setProperty(own, 'activeid', prefix + value), [value]);
  const change = (event: Event) => {
    const chosen = (event.currentTarget as unknown as { activeid: string }).activeid.slice(prefix.length);
    if (event.target === event.currentTarget && chosen !== value && tabs.some((each) => each.value === chosen)) onChange(chosen);
  };
  const heads = tabs.map((each) => tag('vscode-panel-tab', { key: `tab ${each.value}`, id: prefix + each.value }, each.text));
  const views = tabs.map((each) => tag('vscode-panel-view', { key: `view ${each.value}`, id: `${prefix}view-${each.value}` }, each.value === value ? children : null));
  return tag('vscode-panels', { ref: element, onChange: change }, heads, views);
}

export interface SliderProps {
  readonly label: string;
  /** 0..1 */
  readonly value: number;
  readonly onChange: (value: number) => void;
}

/** A share from 0 to 1. The toolkit has no slider; this is the browser's. */
export function Slider({ label, value, onChange }: SliderProps) {
  const input = (event: Event) => onChange(Number((event.target as HTMLInputElement).value));
  return <input type="range" class="slider" min="0" max="1" step="0.01" aria-label={label} title={label} value={value} onInput={input} />;
}

export const Tag = ({ children, ...common }: Common & { readonly children: ComponentChildren }) => tag('vscode-tag', common, children);
export const Badge = ({ children, ...common }: Common & { readonly children: ComponentChildren }) => tag('vscode-badge', common, children);

/** The toolkit's own ring has a style attribute, which the webview's policy forbids; this is the icon that the editor turns. */
export function ProgressRing({ label }: { readonly label: string }) {
  return <span class="progress-ring codicon codicon-loading codicon-modifier-spin" role="progressbar" aria-label={label} />;
}

const tag = (name: string, props: object, ...children: ComponentChildren[]): VNode => h(name, props as never, ...children);

/**
 * Of a custom element: attributes that preact would set as properties, and properties that the element itself changes, so that
 * preact's own comparison with what it last set would miss a difference.
 */
function useElement(attributes: Readonly<Record<string, string | null>>, set?: (own: HTMLElement) => unknown, about: readonly unknown[] = []) {
  const element = useRef<HTMLElement>(null);
  useEffect(() => {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null) element.current?.removeAttribute(name);
      else element.current?.setAttribute(name, value);
    }
  }, Object.values(attributes));
  useEffect(() => {
    if (element.current) set?.(element.current);
  }, about);
  return element;
}

function setProperty(own: HTMLElement, name: string, value: unknown): void {
  (own as unknown as Record<string, unknown>)[name] = value;
}
