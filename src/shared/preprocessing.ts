import { z } from 'zod';

/**
 * How pixels become the image encoder's input, in the order applied:
 * upright RGB image -> resize -> centre crop -> pad -> rescale -> normalise -> [3, height, width] float32.
 */
export const preprocessingSchema = z.strictObject({
  resize: z
    .discriminatedUnion('rule', [
      z.strictObject({ rule: z.literal('shortest-edge'), size: z.number().int().positive() }),
      z.strictObject({ rule: z.literal('longest-edge'), size: z.number().int().positive() }),
      z.strictObject({ rule: z.literal('exact'), height: z.number().int().positive(), width: z.number().int().positive() }),
      z.strictObject({ rule: z.literal('none') }),
    ])
    .describe('How the image is resized before cropping and padding.'),
  filter: z
    .enum(['nearest', 'bilinear', 'bicubic', 'lanczos'])
    .describe('Resampling filter, antialiased when it shrinks (as Pillow does).'),
  crop: z
    .strictObject({ height: z.number().int().positive(), width: z.number().int().positive() })
    .nullable()
    .describe('Centre crop after the resize; where the image is smaller it is padded with zeros.'),
  pad: z
    .strictObject({
      height: z.number().int().positive(),
      width: z.number().int().positive(),
      value: z.number().min(0).max(255),
      position: z.enum(['centre', 'top-left']),
    })
    .nullable()
    .describe('Padding to a fixed size after resize and crop; value is in 0..255.'),
  rescale: z.number().positive().describe('Factor that multiplies 0..255 pixel values (1/255 as a rule).'),
  mean: z.array(z.number()).length(3).describe('Subtracted from each channel after rescaling.'),
  std: z.array(z.number().positive()).length(3).describe('Divides each channel after the mean is subtracted.'),
});

export type Preprocessing = z.infer<typeof preprocessingSchema>;
