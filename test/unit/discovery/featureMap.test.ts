import { describe, expect, it } from 'vitest';
import { encoderFamily, findFeatureMap, type CutPoint } from '../../../src/engine/discovery/featureMap';

const cuts = (...list: [name: string, ...dims: number[]][]): CutPoint[] => list.map(([name, ...dims]) => ({ name, dims }));
const choose = (list: CutPoint[], mode: 'roi-align' | 'tokens', named?: string) =>
  findFeatureMap({ family: encoderFamily(list), cuts: list }, mode, named);

// As the graphs of published encoders give them, batch 1.
const resnet50 = cuts(['pixels', 1, 3, 224, 224], ['stem', 1, 64, 112, 112], ['pool', 1, 64, 56, 56], ['layer1', 1, 256, 56, 56], ['layer2', 1, 512, 28, 28], ['layer3', 1, 1024, 14, 14], ['layer4.0', 1, 2048, 7, 7], ['layer4', 1, 2048, 7, 7], ['mean', 1, 2048, 1, 1], ['flat', 1, 2048], ['embeds', 1, 512]);
const clipRn50 = [...resnet50.slice(0, 8), ...cuts(['tokens', 1, 2048, 49], ['sequence', 50, 1, 2048], ['attention', 1, 32, 50, 64], ['embeds', 1, 1024])];
const convnext = cuts(['pixels', 1, 3, 224, 224], ['stem', 1, 96, 56, 56], ['stage3', 1, 384, 14, 14], ['norm', 1, 384, 14, 14], ['down', 1, 768, 7, 7], ['stage4', 1, 768, 7, 7], ['pooled', 1, 768], ['embeds', 1, 512]);
const vitB32 = cuts(['pixels', 1, 3, 224, 224], ['patches', 1, 768, 7, 7], ['flat', 1, 768, 49], ['sequence', 1, 49, 768], ['with class', 1, 50, 768], ['positioned', 1, 50, 768], ['block0', 1, 50, 768], ['block11', 1, 50, 768], ['class', 1, 768], ['embeds', 1, 512]);
const mlp = cuts(['pixels', 1, 3, 8, 8], ['flat', 1, 192], ['embeds', 1, 16]);

describe('the feature map regions are read from', () => {
  it.each([
    ['ResNet-50', resnet50, 'layer3', 'cnn'],
    ['CLIP RN50, whose attention heads are no map', clipRn50, 'layer3', 'cnn'],
    ['ConvNeXt', convnext, 'norm', 'cnn'],
    ['ViT-B/32', vitB32, 'patches', 'vit'],
  ])('of a %s', (_name, list, expected, family) => {
    expect(encoderFamily(list)).toBe(family);
    expect(choose(list, 'roi-align').name).toBe(expected);
  });

  it('is the last token map in mode tokens, the class token apart', () => {
    expect(choose(vitB32, 'tokens')).toMatchObject({ name: 'block11', shape: { prefix: 1, height: 7, width: 7 } });
  });

  it('can be named, if it is one', () => {
    expect(choose(vitB32, 'roi-align', 'block0').layout).toBe('tokens');
    expect(() => choose(clipRn50, 'roi-align', 'attention')).toThrow(/featureMap 'attention' is no value/);
  });

  it('is missed in words where there is none', () => {
    expect(encoderFamily(mlp)).toBe('unknown');
    expect(() => choose(mlp, 'roi-align')).toThrow(/no feature map that mode 'roi-align' can read/);
  });
});
